#!/usr/bin/env python3
# Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Plants faults into the PTX of our kernels and says what gives them away.

Emits each kernel of kernels.py, edits it in one place by chance (drops or moves a
barrier, wait or fence, turns a predicate around, moves an address by one access,
makes a bound or a step smaller by one), and runs it on the interpreter with all
checks, under several schedules: a report, or any byte that differs from the right
kernel's, kills the mutant. README.md has the survivors, and why each may live.

With --mutant the edits are named, as ptx-run names them, for tests.
"""

import argparse
import collections
import os
import re
import subprocess
import sys
import tempfile

from kernels import KERNELS

# Parts of a report, and what it is called in the summary.
REPORTS = [
    ("races with", "race"),
    ("nobody has waited for", "asynchronous copy not awaited"),
    ("never written", "not initialised"),
    ("outside", "out of bounds"),
    ("misaligned", "misaligned"),
    ("read-only", "write to read-only memory"),
    ("deadlock", "deadlock"),
    ("warp instructions:", "no end"),
    ("no progress", "no end"),
    ("expected", "wrong result"),
]
LINE = re.compile(r"(line \d+: .*?): (survived|killed: (.*))$")


def emit(name, path):
    """Writes the kernel's PTX; returns its launches."""
    text, launches = KERNELS[name]()
    done = subprocess.run(["kern-compile", "-", "--target=sm_80", "--emit=ptx",
                           "-o", path], input=text, text=True)
    if done.returncode:
        sys.exit(f"{name}: kern-compile failed")
    return launches


def plant(name, options, choice):
    """[(mutant, what kills it or "")], over all launches of the kernel."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, name + ".ptx")
        verdicts = {}
        for launch in emit(name, path):
            done = subprocess.run(
                ["ptx-run", path, *launch.command(folder), *choice, "--seeds", str(options.seeds)],
                stdout=subprocess.PIPE, text=True)
            if done.returncode:
                sys.exit(f"{name}: ptx-run failed")
            for line in done.stdout.splitlines():
                match = LINE.match(line)
                if match:
                    mutant, _, killer = match.groups()
                    verdicts[mutant] = verdicts.get(mutant) or killer or ""
    return list(verdicts.items())


def classify(killer):
    for part, report in REPORTS:
        if part in killer:
            return report
    return killer


def study(options):
    killers = collections.Counter()
    survivors = []
    total = 0
    for name in options.kernels:
        choice = ["--mutants", str(options.mutants), "--mutate-seed", str(options.seed)]
        verdicts = plant(name, options, choice)
        alive = [mutant for mutant, killer in verdicts if not killer]
        killers.update(classify(killer) for _, killer in verdicts if killer)
        survivors += [(name, mutant) for mutant in alive]
        total += len(verdicts)
        print(f"{name}: {len(verdicts) - len(alive)} of {len(verdicts)} killed", flush=True)
    killed = total - len(survivors)
    print(f"{killed} of {total} mutants killed, {100 * killed / total:.1f} %")
    for report, count in killers.most_common():
        print(f"  {count} {report}")
    for name, mutant in survivors:
        print(f"survived: {name}, {mutant}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kernels", nargs="*", metavar="kernel",
                        help=f"all, or some of {', '.join(KERNELS)}")
    parser.add_argument("--mutants", type=int, default=40, help="per kernel")
    parser.add_argument("--seed", type=int, default=1, help="choice of mutants")
    parser.add_argument("--seeds", type=int, default=3, help="schedules of each")
    parser.add_argument("--mutant", action="append", metavar="KIND:TEXT#N",
                        help="plant this one, see ptx-run --help")
    parser.add_argument("--ptx", metavar="FILE",
                        help="write the kernel's PTX there, and print ptx-run's options; "
                        "files of buffers are put beside it")
    options = parser.parse_args()
    unknown = [name for name in options.kernels if name not in KERNELS]
    if unknown:
        parser.error(f"unknown kernel '{unknown[0]}', known {', '.join(KERNELS)}")
    options.kernels = options.kernels or list(KERNELS)
    if (options.mutant or options.ptx) and len(options.kernels) != 1:
        parser.error("--mutant and --ptx want one kernel")
    if options.ptx:
        for launch in emit(options.kernels[0], options.ptx):
            folder = os.path.dirname(os.path.abspath(options.ptx))
            print(" ".join(f"'{option}'" for option in launch.command(folder)))
    elif options.mutant:
        choice = [part for each in options.mutant for part in ("--mutant", each)]
        for mutant, killer in plant(options.kernels[0], options, choice):
            print(f"{mutant}: " + (f"killed: {killer}" if killer else "survived"))
    else:
        study(options)


if __name__ == "__main__":
    main()
