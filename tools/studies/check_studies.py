#!/usr/bin/env python3
# Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the studies and checks that their headlines hold by price."""

import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def explore(ssmc, script, *flags):
    """The JSON of a study of one exploration."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.json")
        subprocess.run([os.path.join(HERE, script), *flags, "--json", out],
                       env=dict(os.environ, SSMC=ssmc), check=True,
                       stdout=subprocess.DEVNULL)
        with open(out) as file:
            return json.load(file)


def near(value, expected, share=0.01):
    return abs(value - expected) <= share * expected


def attention_share(ssmc):
    rows = explore(ssmc, "attention-share.sh")["variants"]
    by = {row["attention"]: row for row in rows}
    yield "15 shares", len(by) == 15
    yield "parameters stay", all(near(r["params"], 8.65e9, 0.03) for r in rows)
    # Widths differ by the budget, so heads do.
    per_layer = [r["kv"] / r["attention"] for r in rows if r["attention"]]
    yield "keys and values grow with the layers", max(per_layer) == min(per_layer)
    yield "none without attention", by[0]["kv"] == 0
    # With less Mamba than that, MLP layers come before it.
    yield "Mamba first", all(r["pattern"][0] == "M" for r in rows
                             if r["attention"] <= 14)


def mlp_share(ssmc):
    rows = [r for r in explore(ssmc, "mlp-share.sh")["variants"]
            if float(r["choices"]["mlp_ratio"]) == 4]
    rows.sort(key=lambda r: r["mlp"])
    yield "13 shares", len(rows) == 13
    states = [r["state"] for r in rows]
    yield "more MLP, less state", states == sorted(states, reverse=True)


def rope(ssmc):
    on, off = explore(ssmc, "rope.sh")["variants"]
    yield "same price", all(on[k] == off[k] for k in (
        "params", "prefill_flops", "prefill_ms", "decode_ms", "memory"))


def gqa(ssmc):
    rows = explore(ssmc, "gqa.sh")["variants"]
    kv = {int(r["choices"]["kv_heads"]): r["kv"] for r in rows}
    yield "in proportion to the heads", all(
        kv[h] * 32 == kv[32] * h for h in (1, 2, 4, 8, 16, 32))
    by = sorted(rows, key=lambda r: r["kv"])
    yield "never slower", all(a["decode_ms"] <= b["decode_ms"] and
                              a["prefill_ms"] <= b["prefill_ms"]
                              for a, b in zip(by, by[1:]))


def ordering(ssmc):
    rows = explore(ssmc, "ordering.sh")["variants"]
    yield "four orders", len({r["pattern"] for r in rows}) == 4
    yield "of the same layers", len({(r["attention"], r["mlp"]) for r in rows}) == 1
    yield "one price", len({(r["params"], r["decode_bytes"], r["memory"])
                            for r in rows}) == 1


def figure5(ssmc):
    cards = os.path.join(HERE, "..", "..", "frontends", "cards")
    # Rows: MHA, 8 heads. Columns: context 2k, 32k, 128k.
    expected = {1: ((1.04, 2.02, 4.77), (0.88, 1.11, 1.74)),
                32: ((2.16, 14.51, 24.47), (0.96, 3.87, 6.22))}
    common = ["--device", "h200", "--context", "2048,32768,131072",
              "--objective", "+kv,decode_ms", "--json", "-"]

    def bytes_of(card, batch, *flags):
        done = subprocess.run(
            [ssmc, "explore", os.path.join(cards, card + ".json"), *common,
             "--batch", str(batch), *flags], check=True, stdout=subprocess.PIPE)
        return [[p["decode_bytes"] for p in row["at"]]
                for row in json.loads(done.stdout)["front"]]

    for batch, ratios in expected.items():
        (hybrid,) = bytes_of("mamba2-hybrid-8b", batch)
        for heads, row in zip((32, 8), ratios):
            (baseline,) = bytes_of("transformer-8b", batch, "--kv-heads", str(heads))
            got = [round(b / h, 2) for b, h in zip(baseline, hybrid)]
            yield f"ratios at batch {batch}, {heads} heads: {got}", got == list(row)


def main():
    (ssmc,) = sys.argv[1:]
    failures = 0
    for study in (attention_share, mlp_share, rope, gqa, ordering, figure5):
        for what, holds in study(os.path.abspath(ssmc)):
            failures += not holds
            print(f"{'ok' if holds else 'FAILED':6} {study.__name__}: {what}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
