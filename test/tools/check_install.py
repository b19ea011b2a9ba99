#!/usr/bin/env python3
# Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Installs the runtime and builds the C example against what was installed.

The example then generates with a compiled fixture, as a user's program would.
"""

import os
import subprocess
import sys
import tempfile


def main():
    cmake, source, build, cc, cxx, ssmc = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        prefix = os.path.join(folder, "prefix")
        subprocess.run([cmake, "--install", build, "--prefix", prefix],
                       check=True, stdout=subprocess.DEVNULL)
        config = os.path.join(prefix, "lib", "pkgconfig")
        environment = dict(os.environ, PKG_CONFIG_PATH=config)
        flags = subprocess.run(
            ["pkg-config", "--cflags", "--libs", "--static", "ssmrt"],
            env=environment, check=True, stdout=subprocess.PIPE,
            text=True).stdout.split()
        compile_flags = [f for f in flags if f.startswith("-I")]
        link_flags = [f for f in flags if not f.startswith("-I")]
        example = os.path.join(source, "tools", "examples", "generate.c")
        subprocess.run([cc, "-c", example, "-o", folder + "/generate.o",
                        *compile_flags], check=True)
        subprocess.run([cxx, folder + "/generate.o", "-o", folder + "/generate",
                        *link_flags], check=True)
        model = os.path.join(source, "test", "models", "hybrid")
        artifact = os.path.join(folder, "model.ssmx")
        subprocess.run([ssmc, "compile", model, "-o", artifact], check=True)
        done = subprocess.run([folder + "/generate", artifact, model, "1", "2"],
                              check=True, stdout=subprocess.PIPE, text=True)
    print(done.stdout.strip())
    return 0 if done.stdout.strip() else 1


if __name__ == "__main__":
    sys.exit(main())
