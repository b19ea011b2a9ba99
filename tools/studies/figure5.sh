#!/usr/bin/env bash
# Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Decode of the hybrid and of Transformers against context and batch (Figure 5,
# predicted): MHA, as the paper describes its baseline, and with 8 KV heads.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
ssmc=${SSMC:-$root/build/bin/ssmc}
cards=$root/frontends/cards
for batch in 1 32; do
  echo "hybrid, batch $batch"
  "$ssmc" explore "$cards/mamba2-hybrid-8b.json" --device h200 \
    --context 2048,32768,131072 --batch "$batch" "$@"
  echo "Transformer, batch $batch, 32 (MHA) and 8 KV heads"
  "$ssmc" explore "$cards/transformer-8b.json" --kv-heads 32,8 --device h200 \
    --context 2048,32768,131072 --batch "$batch" --objective +kv,decode_ms "$@"
done
