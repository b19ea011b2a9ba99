#!/usr/bin/env python3
# Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Fewer key/value heads by a rewrite equal a checkpoint averaged by hand.

MODEL is a Hugging Face directory of family llama with f32 weights. For each
divisor of its key/value heads the rewritten model, run with the weights of
MODEL, and a directory that holds the means (arXiv:2305.13245, section 2.1) must
give equal logits on cpu, bit for bit, and on the reference interpreter logits
that differ by at most 2e-4 of the largest.
"""

import argparse
import array
import json
import os
import shutil
import subprocess
import sys
import tempfile

import generated_model
import tensors

TOLERANCE = 2e-4


def average(model, folder, heads):
    """Writes `model` with `heads` key/value heads to `folder`."""
    with open(os.path.join(model, "config.json")) as file:
        config = json.load(file)
    width = config["head_dim"] if "head_dim" in config else (
        config["hidden_size"] // config["num_attention_heads"])
    count = config["num_key_value_heads"] // heads
    config["num_key_value_heads"] = heads
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config, file)
    blobs = {}
    for name, (shape, values) in tensors.read(
            os.path.join(model, "model.safetensors")).items():
        if ".k_proj." in name or ".v_proj." in name:
            columns = len(values) // shape[0]
            means = array.array("f")
            for row in range(heads * width):
                first = row // width * width * count + row % width
                parts = [values[(first + i * width) * columns:][:columns]
                         for i in range(count)]
                means.extend(sum(column) / count for column in zip(*parts))
            shape, values = [heads * width, *shape[1:]], means
        blobs[name] = ("F32", shape, values.tobytes())
    generated_model.write_tensors(os.path.join(folder, "model.safetensors"),
                                  list(blobs), blobs)


def logits(ssmc, model, device, folder, *options):
    path = os.path.join(folder, "logits.safetensors")
    subprocess.run([ssmc, "run", model, *options, "--no-cache", "--tokens", "5,1,17,80,2,9,33",
                    "-n", "3", "--ignore-eos", "--device", device, "--precision=f32",
                    "--logits", path, "--json"], check=True, stdout=subprocess.DEVNULL)
    return tensors.read(path)["logits"][1]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--ssmc", default="ssmc")
    parser.add_argument("--runner", default="ssmc-run")
    options = parser.parse_args()
    with open(os.path.join(options.model, "config.json")) as file:
        stored = json.load(file)["num_key_value_heads"]
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        ir = os.path.join(folder, "ir")
        for heads in (n for n in range(1, stored) if stored % n == 0):
            shutil.rmtree(ir, ignore_errors=True)
            subprocess.run([options.ssmc, "explore", options.model, "--kv-heads", str(heads),
                            "--ir", ir], check=True, stdout=subprocess.DEVNULL)
            (variant,) = os.listdir(ir)
            plain = os.path.join(folder, str(heads))
            os.mkdir(plain)
            average(options.model, plain, heads)
            for device in ("cpu", "reference"):
                want = logits(options.ssmc, plain, device, folder)
                got = logits(options.ssmc, os.path.join(ir, variant), device, folder,
                             "--weights", options.model)
                worst = tensors.largest_error(got, want) / tensors.largest(want)
                if worst > (0 if device == "cpu" else TOLERANCE):
                    failures.append(f"{heads} heads on {device}: {worst:g}")
    print("\n".join(failures) or "equal")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
