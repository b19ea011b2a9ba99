#!/usr/bin/env python3
# Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Ctrl-C at any moment leaves no half-written file.

Commands are interrupted after growing delays. Whatever lies in the folders
afterwards is whole: artifacts can be inspected, tensors can be read.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time

CONFIG = {"model_type": "mamba2", "hidden_size": 768, "num_hidden_layers": 8,
          "vocab_size": 50288, "num_heads": 24, "head_dim": 64, "state_size": 128,
          "n_groups": 1, "expand": 2, "conv_kernel": 4, "dtype": "bfloat16"}
DELAYS = [0.02, 0.05, 0.1, 0.2, 0.4, 0.8]


def interrupt(command, delay, environment):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, env=environment)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    return process.wait(timeout=60)


def check_file(ssmc, path):
    """An error text, or None for a whole file."""
    if path.endswith(".ssmx"):
        done = subprocess.run([ssmc, "inspect", path], stdout=subprocess.DEVNULL)
        return None if done.returncode == 0 else f"{path} is no whole artifact"
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
    end = max(e["data_offsets"][1] for n, e in header.items() if n != "__metadata__")
    whole = os.path.getsize(path) == 8 + size + end
    return None if whole else f"{path} is cut"


def main():
    (ssmc,) = sys.argv[1:]
    failures, interrupted = [], 0
    with tempfile.TemporaryDirectory() as folder:
        model, out, cache = (os.path.join(folder, n) for n in ("model", "out", "cache"))
        for path in (model, out, cache):
            os.mkdir(path)
        with open(os.path.join(model, "config.json"), "w") as file:
            json.dump(CONFIG, file)
        environment = dict(os.environ, XDG_CACHE_HOME=cache)
        artifact = os.path.join(out, "model.ssmx")
        for delay in DELAYS:
            for command in (
                    [ssmc, "compile", model, "-o", artifact, "--weights=random:1",
                     "--embed-weights"],
                    [ssmc, "run", model, "--weights=random:1", "--tokens=1,2,3",
                     "-n", "100", "--threads=1", "--logits", os.path.join(out, "logits"),
                     "--state-out", os.path.join(out, "state")]):
                interrupted += interrupt(command, delay, environment) != 0
        for root, _, names in os.walk(folder):
            for name in names:
                if root != model:
                    error = check_file(ssmc, os.path.join(root, name))
                    failures += [error] if error else []
    print("\n".join(failures) or f"{interrupted} commands interrupted, no file cut")
    return 1 if failures or not interrupted else 0


if __name__ == "__main__":
    sys.exit(main())
