#!/usr/bin/env bash
# Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# From MHA to MQA, at several contexts and batches.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
ssmc=${SSMC:-$root/build/bin/ssmc}
cards=$root/frontends/cards
exec "$ssmc" explore "$cards/mamba2-hybrid-8b.json" --kv-heads 1,2,4,8,16,32 --device h200 \
  --context 32768,4096,131072 --batch 32,1 --objective decode_ms,+kv --top 99 "$@"
