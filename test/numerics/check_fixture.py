#!/usr/bin/env python3
# Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares a run with the expected outputs of a reference checkpoint.

Logits of every prompt, hidden states, final states and greedy continuations,
by the tolerances of the fixtures' README: per prompt max|error| <= 30 noise.f32
+ 1e-5 max|logit| for f32 arithmetic, rms(error) <= 2 noise.bf16_rms + 2e-3
rms(logit) for bf16 activations; greedy tokens equal (bf16: up to the first step
whose margin is below twice the noise).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

import tensors


class Checker:
    def __init__(self, options):
        self.options = options
        self.failures = []
        with open(os.path.join(options.fixture, "expected.json")) as file:
            self.expected = json.load(file)
        self.want = tensors.read(os.path.join(options.fixture, "expected.safetensors"))
        self.folder = tempfile.TemporaryDirectory()
        self.bf16 = options.precision == "bf16"
        self.worst = 0.0

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def command(self):
        """The start of the run command; compiles first if a target is named."""
        o = self.options
        if o.device == "reference":
            return [o.ssmc, "run", o.fixture, "--device=reference"]
        artifact = self.path("model.ssmx")
        subprocess.run(
            [o.ssmc, "compile", o.fixture, "-o", artifact,
             f"--target={o.target}", f"--precision={o.precision}"], check=True)
        schedule = [f"--ptx-seed={o.ptx_seed}"] if o.device == "ptx" else []
        return [o.runner, artifact, "--weights", o.fixture, "--no-cache",
                f"--precision={o.precision}", f"--threads={o.threads}",
                f"--device={o.device}", *schedule]

    def run(self, command, prompts, count, extra=()):
        arguments = list(command)
        for prompt in prompts:
            arguments += ["--tokens", ",".join(map(str, prompt["tokens"]))]
        arguments += ["-n", str(count), "--ignore-eos", "--json",
                      "--logits", self.path("logits.safetensors"), *extra]
        done = subprocess.run(arguments, stdout=subprocess.PIPE, text=True,
                              check=True)
        report = json.loads(done.stdout)
        logits = tensors.read(self.path("logits.safetensors"))
        sequences = report["sequences"] if len(prompts) > 1 else [report]
        names = ([f"logits.{i}" for i in range(len(prompts))]
                 if len(prompts) > 1 else ["logits"])
        return sequences, [logits[name] for name in names]

    def compare(self, what, got, want, prompt):
        """Both are (shape, values)."""
        if list(got[0]) != list(want[0]):
            self.failures.append(f"{what}: shape {got[0]}, expected {want[0]}")
            return
        if self.bf16:
            error = tensors.rms_error(got[1], want[1])
            scale = tensors.rms(want[1])
            # Hidden and final states have their own scale: the noise of the
            # logits is taken relative to the logits.
            logits = tensors.rms(self.want["logits." + prompt["name"]][1])
            limit = (2 * prompt["noise_bf16_rms"] / logits + 2e-3) * scale
        else:
            error = tensors.largest_error(got[1], want[1])
            scale = tensors.largest(want[1])
            logits = tensors.largest(self.want["logits." + prompt["name"]][1])
            noise = self.expected["noise"]["f32"]
            limit = (30 * noise / logits + 1e-5) * scale
            if what.startswith("logits"):
                limit = 30 * noise + 1e-5 * scale
        if limit > 0:
            self.worst = max(self.worst, error / limit)
        if not error <= limit:
            self.failures.append(f"{what}: error {error:.3g} over limit {limit:.3g}")

    def compare_tokens(self, what, got, prompt, count):
        want = prompt["greedy"][:count]
        if self.bf16:
            noise = self.expected["noise"]["bf16"]
            sure = next((i for i, m in enumerate(prompt["margins"][:count])
                         if m < 2 * noise), count)
            got, want = got[:sure], want[:sure]
        if got != want:
            self.failures.append(f"{what}: tokens {got}, expected {want}")

    def check(self):
        prompts = self.expected["prompts"]
        count = self.options.tokens
        command = self.command()
        chunk = ([f"--prefill-chunk={self.options.prefill_chunk}"]
                 if self.options.prefill_chunk else [])
        if self.options.batch:
            sequences, logits = self.run(command, prompts, count, chunk)
            for prompt, sequence, got in zip(prompts, sequences, logits):
                self.compare_prompt(prompt, sequence, got, count)
        else:
            for prompt in prompts:
                sequences, logits = self.run(command, [prompt], count, chunk)
                self.compare_prompt(prompt, sequences[0], logits[0], count)
        self.check_detail(command, chunk)
        return self.failures

    def compare_prompt(self, prompt, sequence, logits, count):
        name = prompt["name"]
        self.compare(f"logits.{name}", logits, self.want[f"logits.{name}"], prompt)
        self.compare_tokens(f"greedy.{name}", sequence["tokens"], prompt, count)

    def check_detail(self, command, chunk):
        """Hidden states and final states of the detail prompt."""
        name = self.expected["detail_prompt"]
        prompt = next(p for p in self.expected["prompts"] if p["name"] == name)
        hidden, state = self.path("hidden.safetensors"), self.path("state.safetensors")
        self.run(command, [prompt], 1,
                 ["--hidden", hidden, "--state-out", state, *chunk])
        hidden, state = tensors.read(hidden), tensors.read(state)
        for key, want in self.want.items():
            kind, _, rest = key.partition(f".{name}.")
            if kind not in ("hidden", "state"):
                continue
            found = (hidden if kind == "hidden" else state)
            ours = f"hidden.p0.{rest}" if kind == "hidden" else f"state.0.{rest}"
            if ours not in found:
                self.failures.append(f"{ours} is missing")
                continue
            if rest.endswith(".conv"):
                want = drop_oldest(want)
            self.compare(key, found[ours], want, prompt)


def drop_oldest(tensor):
    """The reference keeps one input more than the convolution needs."""
    (channels, kernel), values = tensor
    kept = [v for c in range(channels)
            for v in values[c * kernel + 1:(c + 1) * kernel]]
    return ([channels, kernel - 1], kept)


def runs_here(target):
    """Whether this processor has what the target's code needs."""
    with open("/proc/cpuinfo") as file:
        flags = next((l for l in file if l.startswith("flags")), "").split()
    needed = {"x86-64-v3": ["avx2", "fma", "f16c"],
              "x86-64-v4": ["avx512f", "avx512bw", "avx512dq", "avx512vl"]}
    return all(flag in flags for flag in needed.get(target, []))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fixture")
    parser.add_argument("--ssmc", default="ssmc")
    parser.add_argument("--runner", default="ssmc-run")
    parser.add_argument("--device", default="cpu", choices=["cpu", "ptx", "cuda", "reference"])
    parser.add_argument("--target", default="native")
    parser.add_argument("--precision", default="f32", choices=["f32", "bf16"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--prefill-chunk", type=int)
    parser.add_argument("--batch", action="store_true", help="all prompts at once")
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--ptx-seed", type=int, default=0,
                        help="schedule of warps with --device=ptx")
    options = parser.parse_args()
    if options.device == "cpu" and not runs_here(options.target):
        print(f"this processor cannot run {options.target}")
        return 77
    checker = Checker(options)
    failures = checker.check()
    for failure in failures:
        print(f"{checker.options.fixture}: {failure}")
    print(f"{checker.options.fixture}: largest error / limit {checker.worst:.3f}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
