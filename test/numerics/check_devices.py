#!/usr/bin/env python3
# Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A state saved on one device resumes on another: the CPU and the PTX interpreter.

The detail prompt of a fixture and its first greedy tokens on one device, the rest
on the other; all tokens must be those expected.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

FIRST = 3


def run(options, artifact, device, count, extra):
    command = [options.runner, artifact, "--weights", options.fixture, "--no-cache",
               f"--device={device}", "--precision=f32", "--threads=1", "-n",
               str(count), "--ignore-eos", "--json", *extra]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)["tokens"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fixture")
    parser.add_argument("--ssmc", default="ssmc")
    parser.add_argument("--runner", default="ssmc-run")
    parser.add_argument("--tokens", type=int, default=8)
    options = parser.parse_args()
    with open(os.path.join(options.fixture, "expected.json")) as file:
        expected = json.load(file)
    prompt = next(p for p in expected["prompts"]
                  if p["name"] == expected["detail_prompt"])
    want = prompt["greedy"][:options.tokens]
    status = 0
    with tempfile.TemporaryDirectory() as folder:
        artifact = os.path.join(folder, "model.ssmx")
        state = os.path.join(folder, "state.safetensors")
        subprocess.run([options.ssmc, "compile", options.fixture, "-o", artifact,
                        "--target=native,sm_80", "--precision=f32"], check=True)
        for first, second in (("cpu", "ptx"), ("ptx", "cpu")):
            got = run(options, artifact, first, FIRST,
                      ["--tokens", ",".join(map(str, prompt["tokens"])),
                       "--state-out", state])
            got += run(options, artifact, second, options.tokens - FIRST,
                       ["--state-in", state])
            if got != want:
                print(f"{options.fixture}: {first} then {second}: tokens {got}, "
                      f"expected {want}")
                status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
