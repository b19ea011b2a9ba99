#!/usr/bin/env bash
# Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# How many of 56 layers shall be attention, at 8B parameters (Figure 4)?
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
ssmc=${SSMC:-$root/build/bin/ssmc}
cards=$root/frontends/cards
exec "$ssmc" explore "$cards/mamba2-hybrid-8b.json" --attention 0..28:2 --mlp 28 \
  --budget params=8650m --device h200 --context 4096,32768,131072 \
  --objective decode_ms,+attention --top 99 "$@"
