#!/usr/bin/env python3
# Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Variants of a space compile, run, and equal the reference interpreter.

COUNT of them, spread over the space of more than 200. Compared are the logits of a prompt and of generated tokens with
random weights; the largest difference relative to the largest logit is at most
2e-4, as for fixtures in f32.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

import tensors

CARD = {"format": "ssmc-model-card", "version": 1, "name": "small", "hidden": 48,
        "vocab": 96, "pattern": "M-M*-M",
        "mamba2": {"heads": 6, "head_dim": 16, "state": 16, "groups": 2},
        "attention": {"heads": 4, "kv_heads": 2, "head_dim": 12},
        "mlp": {"inner": 96, "activation": "gelu"}, "norm": {"kind": "rms"}}
SPACE = ["--attention", "0..2", "--mlp", "0,2", "--kv-heads", "1,2", "--rope",
         "on,off", "--state", "8,16", "--window", "3,off", "--layers", "6",
         "--groups", "1,2", "--mlp-ratio", "1,2", "--head-dim", "8,16"]
TOLERANCE = 2e-4


def logits(ssmc, model, folder, device):
    path = os.path.join(folder, device)
    subprocess.run([ssmc, "run", model, "--no-cache", "--weights", "random:7",
                    "--tokens", "5,1,17,80,2,9,33", "-n", "3", "--ignore-eos",
                    "--device", device, "--precision=f32", "--logits", path,
                    "--json", "--threads=1"],
                   check=True, stdout=subprocess.DEVNULL)
    return tensors.read(path)["logits"][1]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--ssmc", default="ssmc")
    parser.add_argument("--runner", default="ssmc-run")
    options = parser.parse_args()
    ssmc, count = options.ssmc, options.count
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        card = os.path.join(folder, "small.json")
        with open(card, "w") as file:
            json.dump(CARD, file)
        ir = os.path.join(folder, "ir")
        subprocess.run([ssmc, "explore", card, *SPACE, "--all", "--top", "100000",
                        "--ir", ir], check=True, stdout=subprocess.DEVNULL)
        names = sorted(os.listdir(ir), key=lambda n: int(n.split(".")[0]))
        step = max(1, len(names) // count)
        chosen = names[::step][:count]
        for name in chosen:
            model = os.path.join(ir, name)
            want = logits(ssmc, model, folder, "reference")
            got = logits(ssmc, model, folder, "cpu")
            scale = tensors.largest(want)
            worst = tensors.largest_error(got, want) / scale
            if not (scale > 0 and worst <= TOLERANCE):
                with open(model) as file:
                    failures.append(f"{file.readline().strip()}: {worst:g}")
    print("\n".join(failures))
    print(f"{len(chosen)} of {len(names)} variants, {len(failures)} differ")
    return 1 if failures or len(chosen) < min(count, len(names)) else 0


if __name__ == "__main__":
    sys.exit(main())
