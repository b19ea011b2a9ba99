#!/usr/bin/env python3
# Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A runner must start on another x86-64 Linux.

ssmc-run needs only libc, libm, libstdc++ and libgcc_s, and no symbol newer than
GLIBC_2.34 and GLIBCXX_3.4.30; ssmc-run-static needs nothing, and runs.
"""

import re
import subprocess
import sys

ALLOWED = {"libstdc++.so.6", "libm.so.6", "libgcc_s.so.1", "libc.so.6",
           "ld-linux-x86-64.so.2"}
NEWEST = {"GLIBC": (2, 34), "GLIBCXX": (3, 4, 30)}


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE,
                          text=True).stdout


def main():
    readelf, runner, static = sys.argv[1:]
    failures = []
    dynamic = output(readelf, "--dynamic", runner)
    needed = set(re.findall(r"\(NEEDED\).*\[(.*?)\]", dynamic))
    if not needed or needed - ALLOWED:
        failures.append(f"{runner} needs {sorted(needed)}, allowed {sorted(ALLOWED)}")
    symbols = output(readelf, "--dyn-syms", "--wide", runner)
    for library, newest in NEWEST.items():
        versions = {tuple(map(int, v.split(".")))
                    for v in re.findall(rf"@{library}_([0-9.]+)", symbols)}
        if not versions or max(versions) > newest:
            failures.append(f"{runner} has {library} symbols up to "
                            f"{max(versions, default=None)}, allowed {newest}")
    if "NEEDED" in output(readelf, "--dynamic", static):
        failures.append(f"{static} is not static")
    if "ssmc-run" not in output(static, "--help"):
        failures.append(f"{static} does not run")
    print("\n".join(failures) or "both runners start anywhere")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
