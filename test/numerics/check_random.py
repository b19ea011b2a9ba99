#!/usr/bin/env python3
# Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Configurations beyond the reference checkpoints: cpu against reference.

Random weights, odd sizes, every weight type, 70 tokens. f32 arithmetic: the
largest error stays below 1e-4 of the largest logit.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

import tensors

LARGEST_RELATIVE_ERROR = 1e-4
DTYPES = ("float32", "bfloat16", "float16")

SHAPES = {
    "mamba-biases": {"model_type": "mamba", "hidden_size": 36, "state_size": 9,
                     "num_hidden_layers": 2, "vocab_size": 101, "use_bias": True,
                     "use_conv_bias": False, "conv_kernel": 3},
    "mamba-wide-state": {"model_type": "mamba", "hidden_size": 40, "state_size": 128,
                         "num_hidden_layers": 2, "vocab_size": 64},
    "mamba2-groups": {"model_type": "mamba2", "hidden_size": 48, "num_heads": 8,
                      "head_dim": 12, "state_size": 20, "n_groups": 4,
                      "num_hidden_layers": 2, "vocab_size": 77, "use_bias": True,
                      "conv_kernel": 2, "expand": 2},
    "mamba2-one-head": {"model_type": "mamba2", "hidden_size": 33, "num_heads": 1,
                        "head_dim": 66, "state_size": 1, "n_groups": 1,
                        "num_hidden_layers": 1, "vocab_size": 5, "expand": 2},
    "nemotron_h-gelu": {"model_type": "nemotron_h", "hidden_size": 40,
                        "hybrid_override_pattern": "M*-M-", "vocab_size": 90,
                        "num_attention_heads": 4, "num_key_value_heads": 1,
                        "head_dim": 13, "intermediate_size": 70,
                        "mlp_hidden_act": "gelu", "mamba_num_heads": 6,
                        "mamba_head_dim": 10, "ssm_state_size": 17, "n_groups": 3,
                        "conv_kernel": 4},
    "llama-biases": {"model_type": "llama", "hidden_size": 50, "vocab_size": 83,
                     "num_hidden_layers": 2, "num_attention_heads": 6,
                     "num_key_value_heads": 3, "head_dim": 18,
                     "intermediate_size": 75, "attention_bias": True,
                     "mlp_bias": True},
    "llama-linear-rope": {"model_type": "llama", "hidden_size": 32, "vocab_size": 50,
                          "num_hidden_layers": 2, "num_attention_heads": 4,
                          "num_key_value_heads": 4, "intermediate_size": 64,
                          "rope_theta": 5000.0,
                          "rope_scaling": {"type": "linear", "factor": 4.0}},
    "nemotron": {"model_type": "nemotron", "hidden_size": 48, "vocab_size": 66,
                 "num_hidden_layers": 2, "num_attention_heads": 4,
                 "num_key_value_heads": 2, "head_dim": 12, "intermediate_size": 96,
                 "hidden_act": "relu2", "partial_rotary_factor": 0.5,
                 "norm_eps": 1e-5},
}


def logits(options, folder, device, tokens):
    path = os.path.join(folder, device)
    subprocess.run([options.ssmc, "run", folder, "--weights", "random:7", "--tokens",
                    tokens, "-n", "0", "--device", device, "--precision=f32",
                    "--logits", path, "--no-cache", "--json", "--threads=1"],
                   check=True, stdout=subprocess.DEVNULL)
    return tensors.read(path)["logits"][1]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("--ssmc", default="ssmc")
    parser.add_argument("--runner", default="ssmc-run")
    options = parser.parse_args()
    failures = 0
    for dtype in DTYPES:
        config = dict(SHAPES[options.shape], dtype=dtype)
        tokens = ",".join(str((i * 29 + 3) % config["vocab_size"]) for i in range(70))
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "config.json"), "w") as file:
                json.dump(config, file)
            want = logits(options, folder, "reference", tokens)
            got = logits(options, folder, "cpu", tokens)
        scale = tensors.largest(want)
        error = tensors.largest_error(got, want) / scale
        good = scale > 0 and error <= LARGEST_RELATIVE_ERROR
        failures += not good
        print(f"{options.shape}, {dtype}: largest error {error:.2e} of {scale:.3g}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
