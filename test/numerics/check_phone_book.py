#!/usr/bin/env python3
# Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Generates the recorded answers of a phone-book model, from text to text.

All samples run as one batch. A sample whose smallest margin is below the
arithmetic's error (1e-3) may differ: there the recorded choice was a tie.
"""

import argparse
import json
import os
import subprocess
import sys

SMALLEST_SURE_MARGIN = 1e-3


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--ssmc", default="ssmc")
    parser.add_argument("--runner", default="ssmc-run")
    options = parser.parse_args()
    with open(os.path.join(options.model, "samples.json")) as file:
        samples = json.load(file)["samples"]
    command = [options.ssmc, "run", options.model, "-n", "12", "--json",
               "--no-cache"]
    for sample in samples:
        command += ["--prompt", sample["prompt"]]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    sequences = json.loads(done.stdout)["sequences"]
    failures = 0
    for sample, sequence in zip(samples, sequences):
        same = (sequence["prompt_ids"] == sample["prompt_ids"] and
                sequence["tokens"] == sample["output_ids"] and
                sequence["text"] == sample["output_text"])
        if not same and sample["min_margin"] > SMALLEST_SURE_MARGIN:
            failures += 1
            print(f"{sample['id']}: {sequence['tokens']} {sequence['text']!r}, "
                  f"expected {sample['output_ids']} {sample['output_text']!r}")
    print(f"{len(samples) - failures} of {len(samples)} answers as recorded")
    return 1 if failures or len(sequences) != len(samples) else 0


if __name__ == "__main__":
    sys.exit(main())
