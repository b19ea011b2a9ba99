#!/usr/bin/env python3
# Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs each pass test with its pass left out and expects it to fail.

The pass of test/passes/NAME.mlir is the last flag of its RUN line that names a
pass. A test that passes without it proves nothing about it. Files of refusals
alone, NAME-negative.mlir, are left out: there the pass must do nothing.
"""

import glob
import os
import re
import subprocess
import sys

PASS = re.compile(r"\s--?((?:ssm|kern|plan)-[a-z0-9-]+)(=\S+|='[^']*'|=\"[^\"]*\")?")


def main():
    folder, tools, llvm = sys.argv[1:]
    environment = dict(os.environ, PATH=os.pathsep.join(
        [tools, llvm, os.environ["PATH"]]))
    vacuous, checked = [], 0
    for path in sorted(glob.glob(os.path.join(folder, "*.mlir"))):
        if path.endswith("-negative.mlir"):
            continue
        with open(path) as file:
            text = file.read()
        for run in re.findall(r"// RUN: (.*)", text):
            found = list(PASS.finditer(run))
            if not found or "ssm-opt" not in run:
                continue
            last = found[-1]
            without = run[:last.start()] + " " + run[last.end():]
            command = without.replace("%s", path).replace("%t", "/dev/null")
            done = subprocess.run(["bash", "-o", "pipefail", "-c", command],
                                  env=environment, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
            checked += 1
            if done.returncode == 0:
                vacuous.append(f"{path}: passes without --{last.group(1)}")
    print("\n".join(vacuous) or f"{checked} tests fail without their pass")
    return 1 if vacuous or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
