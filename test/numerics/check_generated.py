#!/usr/bin/env python3
# Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checkpoints that nobody wrote by hand: three opinions must agree.

Directories of one family with random sizes, key spellings, weight types and
shards. The first tokens: reference interpreter against plain Python. A whole
prompt in chunks of 1, 3 and 64, with 1 to 3 threads: cpu against reference, in
logits, residual streams, states and generated tokens.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile

import generated_model
import plain_model
import tensors

LARGEST_PLAIN_ERROR = 1e-6
LARGEST_CPU_ERROR = 1e-4
LENGTHS = (1, 2, 3, 17, 70)
PLAIN_TOKENS = 10
FEEDS = (("1", "1"), ("3", "3"), ("64", "2"), ("512", "1"))  # chunk, threads


def outputs(folder, command):
    """Everything that a run says, by name."""
    paths = [os.path.join(folder, name) for name in ("logits", "hidden", "state")]
    flags = [word for path in paths for word in (
        f"--{os.path.basename(path)}" + ("-out" if path.endswith("state") else ""), path)]
    done = subprocess.run([*command, "-n", "4", "--ignore-eos", "--no-cache", "--json",
                           *flags], check=True, stdout=subprocess.PIPE)
    result = {name: value for path in paths for name, value in tensors.read(path).items()}
    return result, json.loads(done.stdout)["tokens"]


def relative_error(got, want):
    return tensors.largest_error(got, want) / (tensors.largest(want) or 1)


def compare(label, got, want):
    """Texts that say where two runs differ."""
    if set(got) != set(want):
        return [f"{label}: tensors {sorted(set(got) ^ set(want))} are in one file only"]
    problems = []
    for name, (shape, values) in want.items():
        if got[name][0] != shape:
            problems.append(f"{label}: {name} {got[name][0]}, expected {shape}")
        elif not relative_error(got[name][1], values) <= LARGEST_CPU_ERROR:
            error = relative_error(got[name][1], values)
            problems.append(f"{label}: {name} is {error:.1e} off")
    return problems


def check(options, folder, seed):
    rng = random.Random(f"{options.family} {seed}")
    model = generated_model.Model(rng, options.family)
    weights = model.write(folder)
    tokens = [rng.randrange(model.vocab) for _ in range(rng.choice(LENGTHS))]
    listed = ["--tokens", ",".join(map(str, tokens))]
    reference, expected = outputs(
        folder, [options.ssmc, "run", folder, "--device=reference", *listed])
    plain = plain_model.logits(weights, model, tokens[:PLAIN_TOKENS])
    error = relative_error(reference["logits"][1][:len(plain)], plain)
    problems = []
    if not error <= LARGEST_PLAIN_ERROR:
        problems.append(f"reference and plain Python differ by {error:.1e}")
    artifact = os.path.join(folder, "model.ssmx")
    subprocess.run([options.ssmc, "compile", folder, "-o", artifact,
                    "--target=x86-64-v3", "--precision=f32"], check=True)
    for chunk, threads in FEEDS:
        got, generated = outputs(
            folder, [options.runner, artifact, "--weights", folder, "--prefill-chunk",
                     chunk, "--threads", threads, *listed])
        problems += compare(f"chunk {chunk}", got, reference)
        if generated != expected:
            problems.append(f"chunk {chunk}: tokens {generated}, expected {expected}")
    for problem in problems:
        print(f"{options.family} {seed}: {problem}; {json.dumps(model.config)}")
    return not problems


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("family", choices=generated_model.FAMILIES)
    parser.add_argument("--first", type=int, default=0, help="seed of the first model")
    parser.add_argument("--count", type=int, default=5)
    parser.add_argument("--ssmc", default="ssmc")
    parser.add_argument("--runner", default="ssmc-run")
    options = parser.parse_args()
    good = 0
    for seed in range(options.first, options.first + options.count):
        with tempfile.TemporaryDirectory() as folder:
            good += check(options, folder, seed)
    print(f"{options.family}: {good} of {options.count} models agree")
    return 0 if good == options.count else 1


if __name__ == "__main__":
    sys.exit(main())
