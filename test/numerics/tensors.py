# Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reads f32 safetensors with the standard library alone, and compares."""

import array
import json
import math
import struct


def read(path):
    """{name: (shape, array of f32)} of a safetensors file."""
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = file.read()
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        if entry["dtype"] != "F32":
            continue
        values = array.array("f")
        values.frombytes(data[begin:end])
        tensors[name] = (entry["shape"], values)
    return tensors


def largest_error(got, want):
    """Largest absolute difference; NaN counts as infinite."""
    worst = 0.0
    for g, w in zip(got, want):
        error = abs(g - w)
        if not error <= worst:
            worst = error if error == error else math.inf
    return worst


def largest(values):
    return max(map(abs, values), default=0.0)


def rms(values):
    return math.sqrt(math.fsum(v * v for v in values) / max(1, len(values)))


def rms_error(got, want):
    return rms([g - w if g == g else math.inf for g, w in zip(got, want)])
