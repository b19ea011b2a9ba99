#!/usr/bin/env python3
# Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""All reference checkpoints through PTX on the interpreter, with all its checks:
32 tokens under three schedules, alone and as a ragged batch in chunks.

The default tests run the same with one schedule and 8 tokens (CMakeLists.txt).
This takes an hour or so; names of fixtures make it shorter.
"""

import argparse
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.join(HERE, "..", "fixtures")
PRECISIONS = {
    "f32": ["mamba-tiny", "mamba2-tiny", "mamba2-groups", "mamba2-dt-limit",
            "nemotron_h-tiny", "llama-tiny", "llama3-rope-tiny"],
    "bf16": ["mamba-bf16", "nemotron_h-paper-shape", "llama-bf16"],
}
FEEDS = {"alone": [], "batch": ["--batch", "--prefill-chunk=64"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    names = [name for each in PRECISIONS.values() for name in each]
    parser.add_argument("fixtures", nargs="*", help=f"all, or some of {', '.join(names)}")
    parser.add_argument("--ssmc", default="ssmc")
    parser.add_argument("--runner", default="ssmc-run")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=32)
    options = parser.parse_args()
    for name in options.fixtures:
        if name not in names:
            parser.error(f"unknown fixture '{name}', known {', '.join(names)}")
    failures = 0
    for precision, fixtures in PRECISIONS.items():
        for fixture in fixtures:
            if options.fixtures and fixture not in options.fixtures:
                continue
            for feed, extra in FEEDS.items():
                for seed in range(options.seeds):
                    start = time.monotonic()
                    done = subprocess.run(
                        [sys.executable, os.path.join(HERE, "check_fixture.py"),
                         os.path.join(FIXTURES, fixture), "--target=sm_80",
                         "--device=ptx", f"--precision={precision}",
                         f"--tokens={options.tokens}", f"--ptx-seed={seed}",
                         f"--ssmc={options.ssmc}", f"--runner={options.runner}",
                         *extra], stdout=subprocess.PIPE, text=True)
                    failures += done.returncode != 0
                    print(f"{fixture} {precision} {feed}, seed {seed}: "
                          f"{'failed' if done.returncode else 'passed'}, "
                          f"{time.monotonic() - start:.0f} s", flush=True)
                    if done.returncode:
                        print(done.stdout, end="")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
