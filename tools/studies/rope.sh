#!/usr/bin/env bash
# Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Does RoPE cost anything (Table 5)?
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
ssmc=${SSMC:-$root/build/bin/ssmc}
cards=$root/frontends/cards
exec "$ssmc" explore "$cards/mamba2-hybrid-8b.json" --rope on,off --device h200 \
  --context 4096,131072 --top 99 "$@"
