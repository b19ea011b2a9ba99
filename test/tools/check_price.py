#!/usr/bin/env python3
# Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prices of the four 8B models equal worked numbers, to the last digit.

The numbers were computed by plain formulas in a script of their own: bf16
weights, keys and values, f32 SSM states. Launches equal what the compiler makes.
"""

import json
import os
import subprocess
import sys
import tempfile

# Parameters, prefill operations of 4096 tokens, bytes of state and of keys and
# values per token, then (context, batch): (bytes, operations) of a step.
MODELS = {
    "mamba-8b": (8148783104, 50770221203456, 237633536, 0, {
        (2048, 1): (14675681280, 14491713536),
        (131072, 32): (29409214464, 463734833152)}),
    "mamba2-8b": (8236999680, 51796181516288, 238321664, 0, {
        (2048, 1): (14853490688, 14668791808),
        (131072, 32): (29629687808, 469401337856)}),
    "mamba2-hybrid-8b": (8654517248, 54910167023616, 102137856, 16384, {
        (2048, 1): (15449712640, 15470952448),
        (32768, 1): (15953029120, 17484218368),
        (131072, 1): (17563641856, 23926669312),
        (2048, 32): (22822701056, 495070478336),
        (32768, 32): (38928828416, 559494987776),
        (131072, 32): (90468435968, 765653417984)}),
    "transformer-8b": (8540135424, 57177775538176, 0, 524288, {
        (2048, 1): (16056852480, 16055795712),
        (32768, 1): (32162979840, 32161923072),
        (131072, 1): (83702587392, 83701530624),
        (2048, 32): (49343102976, 513785462784),
        (32768, 32): (564739178496, 1029181538304),
        (131072, 32): (2214006620160, 2678448979968)}),
    "transformer-8b-gqa8": (7734829056, 50580705771520, 0, 131072, {
        (2048, 1): (13640933376, 14445182976),
        (131072, 32): (563128565760, 2626909372416)}),
}


def cost(ssmc, model, *flags):
    done = subprocess.run([ssmc, "inspect", model, "--cost", "--json", *flags],
                          check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def check_model(ssmc, card, expected):
    parameters, prefill, state, cache, steps = expected
    got = cost(ssmc, card, "--context", "4096")
    total = got["total"]
    yield "parameters", total["parameters"], parameters
    yield "weight bytes", total["weight_bytes"], 2 * parameters
    yield "prefill operations", total["prefill"]["flops"], prefill
    yield "state bytes", total["state_bytes"], state
    yield "cache bytes", total["kv_bytes_per_token"], cache
    for key in ("parameters", "state_bytes", "kv_bytes"):
        yield "sum of " + key, sum(p[key] for p in got["parts"]), total[key]
    for (context, batch), (moved, operations) in steps.items():
        step = cost(ssmc, card, "--context", str(context), "--batch",
                    str(batch))["total"]["decode"]
        yield f"bytes of a step {context} {batch}", step["bytes"], moved
        yield f"operations {context} {batch}", step["flops"], operations


def check_launches(ssmc, model, folder):
    artifact = os.path.join(folder, "model.ssmx")
    subprocess.run([ssmc, "compile", model, "-o", artifact], check=True)
    done = subprocess.run([ssmc, "inspect", artifact, "--json"], check=True,
                          stdout=subprocess.PIPE)
    image = json.loads(done.stdout)["images"][0]
    total = cost(ssmc, model)["total"]
    for call, key in (("prefill", "launches_prefill"), ("decode", "launches_step")):
        yield f"launches {call}", total[call]["launches"], image[key]


def main():
    ssmc, cards, models = sys.argv[1:]
    failures = count = 0
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(cards, "transformer-8b.json")) as file:
            card = json.load(file)
        card["attention"]["kv_heads"] = 8
        card["parameters"] = MODELS["transformer-8b-gqa8"][0]
        gqa = os.path.join(folder, "transformer-8b-gqa8.json")
        with open(gqa, "w") as file:
            json.dump(card, file)
        checks = []
        for name, expected in MODELS.items():
            path = gqa if name.endswith("gqa8") else os.path.join(cards, name + ".json")
            checks += [(name, *c) for c in check_model(ssmc, path, expected)]
        for name in os.listdir(models):
            checks += [(name, *c) for c in check_launches(
                ssmc, os.path.join(models, name), folder)]
        for name, what, got, expected in checks:
            count += 1
            if got != expected:
                failures += 1
                print(f"{name}: {what}: got {got}, expected {expected}")
    print(f"{count} numbers compared, {failures} differ")
    return 1 if failures or count < 60 else 0


if __name__ == "__main__":
    sys.exit(main())
