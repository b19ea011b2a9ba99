#!/usr/bin/env python3
# Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What must not change a single bit of a model's logits.

The company of other sequences and their order, the number of threads, a second
run, NaN in all memory that kernels must not read; and a generation that is cut
in two by a state file gives the same tokens. Launches of a step do not depend on
the position.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

import tensors


class Bits:
    def __init__(self, options):
        self.options = options
        self.folder = tempfile.TemporaryDirectory()
        self.artifact = os.path.join(self.folder.name, "model.ssmx")
        self.failures = []
        subprocess.run([options.ssmc, "compile", options.fixture, "-o",
                        self.artifact, f"--target={options.target}",
                        f"--precision={options.precision}"], check=True)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def run(self, prompts, count=8, threads=1, extra=(), poison=False):
        command = [self.options.runner, self.artifact, "--weights",
                   self.options.fixture, "-n", str(count), "--ignore-eos",
                   "--json", "--no-cache", f"--threads={threads}",
                   "--logits", self.path("logits.safetensors"), *extra]
        for prompt in prompts:
            command += ["--tokens", ",".join(map(str, prompt))]
        environment = dict(os.environ, SSMRT_POISON="1" if poison else "0")
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True,
                              check=True, env=environment)
        report = json.loads(done.stdout)
        tokens = [s["tokens"] for s in report.get("sequences", [report])]
        logits = []
        if prompts:
            found = tensors.read(self.path("logits.safetensors"))
            names = ([f"logits.{i}" for i in range(len(prompts))]
                     if len(prompts) > 1 else ["logits"])
            logits = [found[name][1].tobytes() for name in names]
        return list(zip(logits, tokens)) if prompts else tokens, report

    def expect(self, what, got, want):
        if got != want:
            self.failures.append(what)

    def check(self, prompts):
        a, b, c = prompts
        alone = [self.run([p])[0][0] for p in prompts]
        self.expect("[A,B,C] differs from each alone", self.run(prompts)[0], alone)
        swapped = self.run([c, a, b])[0]
        self.expect("[C,A,B] differs from each alone", swapped,
                    [alone[2], alone[0], alone[1]])
        for threads in (2, 3):
            self.expect(f"{threads} threads differ from one",
                        self.run(prompts, threads=threads)[0], alone)
        self.expect("a second run differs", self.run(prompts)[0], alone)
        self.expect("NaN in unused memory shows",
                    self.run(prompts, poison=True)[0], alone)
        self.check_cut(a, alone[0][1])
        steps = {self.run([p], count=n)[1]["launches"]["step"]
                 for p, n in ((a, 3), (c, 3), (c, 9))}
        self.expect(f"launches of a step vary: {sorted(steps)}", len(steps), 1)

    def check_cut(self, prompt, want):
        """Half a generation, saved, and the rest from the file."""
        state = self.path("state.safetensors")
        half = len(want) // 2
        first = self.run([prompt], count=half, extra=["--state-out", state])[0][0][1]
        rest = self.run([], count=len(want) - half,
                        extra=["--state-in", state])[0][0]
        self.expect(f"a cut generation gives {first + rest}, expected {want}",
                    first + rest, want)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fixture")
    parser.add_argument("--ssmc", default="ssmc")
    parser.add_argument("--runner", default="ssmc-run")
    parser.add_argument("--target", default="native")
    parser.add_argument("--precision", default="f32")
    options = parser.parse_args()
    with open(os.path.join(options.fixture, "expected.json")) as file:
        prompts = [p["tokens"] for p in json.load(file)["prompts"]]
    bits = Bits(options)
    bits.check([prompts[2], prompts[0], prompts[-1]])
    for failure in bits.failures:
        print(f"{options.fixture}: {failure}")
    return 1 if bits.failures else 0


if __name__ == "__main__":
    sys.exit(main())
