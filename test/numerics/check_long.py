#!/usr/bin/env python3
# Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""140,000 tokens through a tiny model: finite, and the same for other chunks.

Chunks of 512 and of 1000 tokens cut the prompt differently; the recurrence of
Mamba-1 goes token by token in both, so the logits have equal bits.
"""

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile

import tensors

TOKENS = 140_000


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="with a tokenizer")
    parser.add_argument("--ssmc", default="ssmc")
    parser.add_argument("--runner", default="ssmc-run")
    options = parser.parse_args()
    words = "the scan keeps its memory and every token moves a state".split()
    source = random.Random(5)
    with tempfile.TemporaryDirectory() as folder:
        prompt = os.path.join(folder, "prompt.txt")
        with open(prompt, "w") as file:
            file.write(" ".join(source.choice(words) for _ in range(TOKENS // 2)))
        results = []
        for chunk in (512, 1000):
            path = os.path.join(folder, "logits.safetensors")
            done = subprocess.run(
                [options.ssmc, "run", options.model, "--prompt-file", prompt,
                 "-n", "8", "--ignore-eos", "--prefill-chunk", str(chunk),
                 "--threads=1", "--json", "--no-cache", "--logits", path],
                check=True, stdout=subprocess.PIPE, text=True)
            report = json.loads(done.stdout)
            vocab = tensors.read(path)["logits"][0][1]
            last = tensors.read(path)["logits"][1][-vocab:]
            results.append((report["tokens"], list(last)))
            if report["prompt_tokens"] < TOKENS:
                print(f"only {report['prompt_tokens']} tokens")
                return 1
    finite = all(map(math.isfinite, results[0][1]))
    print(f"{report['prompt_tokens']} tokens, finite: {finite}, "
          f"equal: {results[0] == results[1]}")
    return 0 if finite and results[0] == results[1] else 1


if __name__ == "__main__":
    sys.exit(main())
