#!/usr/bin/env bash
# Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Spread, attention first, attention last, a block repeated: what does order cost?
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
ssmc=${SSMC:-$root/build/bin/ssmc}
cards=$root/frontends/cards
patterns="M-M-M--M-M*-M-M-M-M--M*-M-M-M-M-M*--M-M-M-M-M*-M--M-M-M-"
patterns+=",****M-M-M--M-M-M-M-M-M--M-M-M-M-M-M--M-M-M-M-M-M--M-M-M-"
patterns+=",M-M-M--M-M-M-M-M-M--M-M-M-M-M-M--M-M-M-M-M-M--M-M-M-****"
patterns+=",M-M-M-M-M-M-*-M-M-M-M-M-M-*-M-M-M-M-M-M-*-M-M-M-M-M-M-*-"
exec "$ssmc" explore "$cards/mamba2-hybrid-8b.json" --device h200 --top 99 \
  --all --pattern "$patterns" "$@"
