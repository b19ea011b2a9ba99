#!/usr/bin/env python3
# Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Two layers of a published width with random weights: cpu against reference.

70 tokens, all logits. Arithmetic in f32 with sums of some thousand terms: the
largest error stays below 2e-4 of the largest logit (random walk of sqrt(K) 2^-24
per product, over two layers and the head, with a margin of ten).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

import tensors

LARGEST_RELATIVE_ERROR = 2e-4

MAMBA2 = {"conv_kernel": 4, "time_step_limit": [0.0, 1e30], "n_groups": 1,
          "state_size": 128, "head_dim": 64, "expand": 2}
SHAPES = {
    "mamba-130m": {"model_type": "mamba", "hidden_size": 768,
                   "num_hidden_layers": 2, "vocab_size": 50288, "state_size": 16},
    "mamba2-130m": {"model_type": "mamba2", "hidden_size": 768,
                    "num_hidden_layers": 2, "vocab_size": 50288, "num_heads": 24,
                    "tie_word_embeddings": True, **MAMBA2},
    "llama-1b": {"model_type": "llama", "hidden_size": 2048,
                 "num_hidden_layers": 2, "vocab_size": 50288,
                 "num_attention_heads": 32, "num_key_value_heads": 8,
                 "head_dim": 64, "intermediate_size": 8192,
                 "rope_theta": 500000.0, "rms_norm_eps": 1e-5},
    "hybrid-8b": {"model_type": "nemotron_h", "hidden_size": 4096,
                  "hybrid_override_pattern": "M*-", "vocab_size": 131072,
                  "num_attention_heads": 32, "num_key_value_heads": 8,
                  "head_dim": 128, "intermediate_size": 16384,
                  "mamba_num_heads": 128, "mamba_head_dim": 64,
                  "ssm_state_size": 128, "n_groups": 8, "conv_kernel": 4},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("--ssmc", default="ssmc")
    parser.add_argument("--runner", default="ssmc-run")
    options = parser.parse_args()
    config = dict(SHAPES[options.shape], dtype="bfloat16")
    tokens = ",".join(str((i * 7919 + 13) % config["vocab_size"]) for i in range(70))
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "config.json"), "w") as file:
            json.dump(config, file)
        logits = {}
        for device in ("cpu", "reference"):
            path = os.path.join(folder, device)
            subprocess.run([options.ssmc, "run", folder, "--weights", "random:7",
                            "--tokens", tokens, "-n", "0", "--device", device,
                            "--precision=f32", "--logits", path, "--no-cache",
                            "--json"], check=True, stdout=subprocess.DEVNULL)
            logits[device] = tensors.read(path)["logits"][1]
    scale = tensors.largest(logits["reference"])
    error = tensors.largest_error(logits["cpu"], logits["reference"]) / scale
    print(f"{options.shape}: largest error {error:.2e} of the largest logit {scale:.3g}")
    return 0 if scale > 0 and error <= LARGEST_RELATIVE_ERROR else 1


if __name__ == "__main__":
    sys.exit(main())
