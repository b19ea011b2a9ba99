#!/usr/bin/env python3
# Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Speed of the PTX interpreter on one core, with its checks and without them, in
million warp instructions per second: a loop of arithmetic, and a matrix-vector
product as we emit it.

    PATH=build/bin:$PATH tools/bench/bench-ptx.py
"""

import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "test", "ptx"))
import kernels  # noqa: E402

REPEATS = 3
ARITHMETIC = """
.version 7.0
.target sm_80
.address_size 64
.visible .entry loop(.param .u64 y)
.reqntid 128
{
	.reg .pred %p<2>;
	.reg .b32 %r<8>;
	.reg .b64 %rd<4>;
	ld.param.b64 %rd1, [y];
	mov.u32 %r1, %tid.x;
	cvt.rn.f32.u32 %r2, %r1;
	mov.b32 %r3, 0;
	mov.b32 %r4, 0f3F000000;
$loop:
	fma.rn.f32 %r2, %r2, %r4, %r4;
	add.rn.f32 %r5, %r2, %r4;
	mul.rn.f32 %r2, %r5, %r4;
	xor.b32 %r6, %r3, %r1;
	shl.b32 %r6, %r6, 1;
	add.s32 %r3, %r3, 1;
	setp.lt.u32 %p1, %r3, 100000;
	@%p1 bra $loop;
	mul.wide.u32 %rd2, %r1, 4;
	add.s64 %rd3, %rd1, %rd2;
	st.global.b32 [%rd3], %r2;
	ret;
}
"""


def speed(path, launch, *options):
    """Million warp instructions per second, the best of some runs."""
    best = 0.0
    for _ in range(REPEATS):
        done = subprocess.run(["ptx-run", path, *launch, "--time", *options],
                              stdout=subprocess.PIPE, text=True, check=True)
        best = max(best, float(re.search(r"([\d.]+) M warp", done.stdout)[1]))
    return best


def main():
    depth, sums = 2560, 512
    text = kernels.gemm("stream", 1, 8, depth, sums, "bf16", False)
    product = kernels.gemm_call(sums // 8, 1, depth, sums, "bf16", False)
    with tempfile.TemporaryDirectory() as folder:
        loop = os.path.join(folder, "loop.ptx")
        with open(loop, "w") as file:
            file.write(ARITHMETIC)
        emitted = os.path.join(folder, "product.ptx")
        subprocess.run(["kern-compile", "-", "--target=sm_80", "--emit=ptx", "-o",
                        emitted], input=text, text=True, check=True)
        for name, path, launch in (
                ("arithmetic", loop, ["--arg", "y=f32[128]:none"]),
                ("matrix-vector product", emitted, product.options)):
            print(f"{name}: {speed(path, launch):.2f} checked, "
                  f"{speed(path, launch, '--no-check'):.2f} unchecked")


if __name__ == "__main__":
    main()
