# Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every kind of kernel at a small, odd size, with launches that reach all of its
code: several chunks, panels, pages and sequences, and tails everywhere.
"""

from launches import Launch

SILU = """{
  ^bb0(%sum: f32, %bias: f32):
    %one = arith.constant 1.0 : f32
    %v = arith.addf %sum, %bias : f32
    %n = arith.negf %v : f32
    %e = math.exp %n : f32
    %d = arith.addf %one, %e : f32
    %r = arith.divf %v, %d : f32
    kern.yield %r : f32
  }"""
SOFTPLUS = """{
  ^bb0(%raw: f32, %bias: f32):
    %v = arith.addf %raw, %bias : f32
    %e = math.exp %v : f32
    %r = math.log1p %e : f32
    kern.yield %r : f32
  }"""


def function(body, **arguments):
    """A function of these arguments around `body`, which makes %y and returns."""
    listed = ", ".join(f"%{name}: {type}" for name, type in arguments.items())
    return f"func.func private @f({listed}) {{\n  {body}\n  return\n}}\n"


def schedule(form, rows, columns, piece):
    return (f"[#kern.gemm_schedule<{form}, max_rows = {rows}, block_rows = "
            f"{rows if rows > 0 else 64}, panel = 8, pair = {piece}, "
            f"block_columns = {columns}>]")


def embed():
    text = function(
        "%y = kern.embed %t, %w times 12.5 {panel = 8 : i64, pair = 8 : i64} : "
        "tensor<71x133xbf16> -> tensor<?x133xf32>",
        t="tensor<?xi32>", w="tensor<71x133xbf16>")
    tokens = [70, 0, 1, 35]
    call = Launch(grid=len(tokens)).tokens(tokens).panels("w", 71, 133, "bf16")
    return text, [call.result(len(tokens), 133).integer(len(tokens))]


def rowwise():
    text = function(
        """%y = kern.rowwise layer %x elements(%e : tensor<?x780xf32>) columns(%c : tensor<780xf32>) groups(2) eps(1.0e-5) gather : tensor<?x780xf32> -> tensor<?x780xbf16> value {
  ^bb0(%v: f32, %z: f32):
    %p = arith.mulf %v, %z : f32
    kern.yield %p : f32
  } finish {
  ^bb0(%v: f32, %mean: f32, %rstd: f32, %z: f32, %g: f32):
    %0 = arith.subf %v, %mean : f32
    %1 = arith.mulf %0, %rstd : f32
    %2 = math.fma %1, %g, %z : f32
    kern.yield %2 : f32
  }""", x="tensor<?x780xf32>", e="tensor<?x780xf32>", c="tensor<780xf32>")
    call = Launch(grid=2 * 2).rows("x", 3, 780).rows("e", 3, 780).weight("c", 780)
    call.result(2, 780, "bf16").sequences([(0, 0, 3)], outputs=[2, 0])
    return text, [call.integer(2)]


def gemm(form, rows, columns, depth, sums, element, paired):
    """Products with an epilogue; partners are multiplied."""
    width = sums // 2 if paired else sums
    piece = 8 if element == "bf16" else 4
    x, w = f"tensor<?x{depth}xf32>", f"tensor<{sums}x{depth}x{element}>"
    y, c = f"tensor<?x{width}xf32>", f"tensor<{sums}xf32>"
    pair = " paired(4)" if paired else ""
    parameters = ("%a: f32, %u: f32, %b: f32, %v: f32, %z: f32" if paired
                  else "%a: f32, %b: f32, %z: f32")
    product = "%q = arith.mulf %s, %u : f32" if paired else "%q = arith.negf %s : f32"
    return function(
        f"""%y = kern.gemm %x, %w columns(%c : {c}) elements(%e : {y}){pair} schedule {schedule(form, rows, columns, piece)} : {x}, {w} -> {y} {{
  ^bb0({parameters}):
    %s = arith.addf %a, %b : f32
    {product}
    %r = arith.addf %q, %z : f32
    kern.yield %r : f32
  }}""", x=x, w=w, c=c, e=y)


def gemm_call(grid, rows, depth, sums, element, paired):
    width = sums // 2 if paired else sums
    call = Launch(grid).rows("x", rows, depth).panels("w", sums, depth, element)
    call.weight("c", sums).rows("e", rows, width).result(rows, width)
    return call.integer(rows)


def stream_row():
    return (gemm("stream", 1, 8, 201, 29, "f32", False),
            [gemm_call(4, 1, 201, 29, "f32", False)])


def stream_rows():
    """Two chunks of inputs."""
    return (gemm("stream", 16, 32, 1100, 40, "bf16", True),
            [gemm_call(2, rows, 1100, 40, "bf16", True) for rows in (16, 13)])


def tiles():
    """Two tiles of rows and of channels, five steps of inputs."""
    return (gemm("blocked", -1, 64, 150, 72, "f32", False),
            [gemm_call(2 * 2, 67, 150, 72, "f32", False)])


def norm_gemm():
    text = function(
        f"""%y = kern.norm_gemm rms %x elements(%z : tensor<?x270xf32>) columns(%g : tensor<270xf32>) groups(2) eps(1.0e-5) gather rounded bf16 gemm %w elements(%e : tensor<?x33xf32>) schedule {schedule("stream", 4, 16, 8)} : tensor<?x270xf32>, tensor<33x270xbf16> -> tensor<?x33xf32> value {{
  ^bb0(%v: f32, %b: f32):
    %p = arith.mulf %v, %b : f32
    kern.yield %p : f32
  }} finish {{
  ^bb0(%v: f32, %m: f32, %r: f32, %b: f32, %c: f32):
    %0 = arith.mulf %v, %r : f32
    %1 = arith.mulf %0, %c : f32
    kern.yield %1 : f32
  }} epilogue {{
  ^bb0(%s: f32, %b: f32):
    %0 = arith.addf %s, %b : f32
    kern.yield %0 : f32
  }}""", x="tensor<?x270xf32>", z="tensor<?x270xf32>", g="tensor<270xf32>",
        w="tensor<33x270xbf16>", e="tensor<?x33xf32>")
    launches = []
    for outputs in ([3, 1, 0, 2], [2]):
        rows = len(outputs)
        launch = Launch(grid=3).rows("x", 4, 270).rows("z", 4, 270)
        launch.weight("g", 270).panels("w", 33, 270, "bf16").rows("e", rows, 33)
        launch.result(rows, 33).sequences([(0, 0, 4)], outputs=outputs)
        launches.append(launch.integer(rows))
    return text, launches


def conv():
    text = function(
        f"%y, %n = kern.conv %x, %seqs state %s weight %w columns(%b : tensor<150xf32>) : tensor<?x150xf32>, tensor<?x150x3xf32>, tensor<150x4xf32> -> tensor<?x150xf32> {SILU}",
        x="tensor<?x150xf32>", seqs="!ssm.seqs", s="tensor<?x150x3xf32>",
        w="tensor<150x4xf32>", b="tensor<150xf32>")
    call = [(0, 20, 51), (2, 7, 3), (1, 62, 74), (3, 63, 2)]
    rows, tiles = 130, 8
    launch = Launch(grid=tiles * 2).rows("x", rows, 150).sequences(call)
    launch.pool("state", 4, 2 * 3 * 150).weight("w", 4 * 150).weight("b", 150)
    return text, [launch.result(rows, 150).integer(rows)]


def scan():
    """Three panels of 16 channels in two blocks."""
    x, f, n = "tensor<?x37xf32>", "tensor<?x37xf32>", "tensor<?x11xf32>"
    text = function(
        f"""%y, %t = kern.scan %x dt %dt A %A B %B C %C, %seqs state %s columns(%D : tensor<37xf32>) elements(%z : {f}) : {x}, tensor<37x11xf32>, {n}, {n}, tensor<?x37x11xf32> -> {x} {{
  ^bb0(%h: f32, %i: f32, %d: f32, %g: f32):
    %p = math.fma %d, %i, %h : f32
    %r = arith.mulf %p, %g : f32
    kern.yield %r : f32
  }}""", x=x, dt=x, A="tensor<37x11xf32>", B=n, C=n, seqs="!ssm.seqs",
        s="tensor<?x37x11xf32>", D="tensor<37xf32>", z=f)
    call, rows = [(0, 0, 1), (2, 7, 3), (1, 64, 70)], 74
    launch = Launch(grid=3 * 2).rows("x", rows, 37).rows("dt", rows, 37)
    launch.weight("A", 48 * 11).rows("B", rows, 11).rows("C", rows, 11)
    launch.sequences(call).pool("state", 4, 48 * 11).weight("D", 37)
    launch.rows("z", rows, 37)
    return text, [launch.result(rows, 37).integer(rows)]


def ssd():
    """Two heads of a group; chunks of 36 rows, cut by the position."""
    x, n = "tensor<?x14xf32>", "tensor<?x5xf32>"
    text = function(
        f"%y, %t = kern.ssd %x dt %dt, %b A %A B %B C %C D %D, %seqs state %s chunk(36) : {x}, tensor<?x2xf32>, tensor<2xf32>, {n}, tensor<?x2x7x5xf32> -> {x} {SOFTPLUS}",
        x=x, dt="tensor<?x2xf32>", b="tensor<2xf32>", A="tensor<2xf32>", B=n, C=n,
        D="tensor<2xf32>", seqs="!ssm.seqs", s="tensor<?x2x7x5xf32>")
    call, rows = [(2, 0, 3), (0, 5, 100)], 103
    launch = Launch(grid=2 * 2).rows("x", rows, 14).rows("dt", rows, 2)
    launch.weight("b", 2).weight("A", 2).rows("B", rows, 5).rows("C", rows, 5)
    launch.weight("D", 2).sequences(call).pool("state", 4, 2 * 7 * 5)
    return text, [launch.result(rows, 14).integer(rows)]


def ssm_step():
    """Four heads in two groups, four tokens."""
    channels, heads, dim, states = 4 * 12 + 2 * 2 * 9, 4, 12, 9
    x, y, v = f"tensor<?x{channels}xf32>", f"tensor<?x{heads * dim}xf32>", "tensor<4xf32>"
    c, s = f"tensor<?x{channels}x3xf32>", f"tensor<?x{heads}x{dim}x{states}xf32>"
    text = function(
        f"%y, %l, %t = kern.ssm_step %x dt %dt, %b A %A D %D weight %w columns(%c : tensor<{channels}xf32>), %seqs conv_state %k state %s : {x}, tensor<?x4xf32>, {v}, tensor<{channels}x4xf32>, {c}, {s} -> {y} conv {SILU} dt {SOFTPLUS}",
        x=x, dt="tensor<?x4xf32>", b=v, A=v, D=v, w=f"tensor<{channels}x4xf32>",
        c=f"tensor<{channels}xf32>", seqs="!ssm.seqs", k=c, s=s)
    launch = Launch(grid=4 * heads).rows("x", 4, channels).rows("dt", 4, heads)
    launch.weight("b", heads).weight("A", heads).weight("D", heads)
    launch.weight("w", 4 * channels).weight("c", channels)
    launch.sequences([(3, 8, 1), (1, 5, 1), (0, 0, 1), (2, 1, 1)])
    launch.pool("conv_state", 4, 2 * 3 * channels)
    launch.pool("state", 4, heads * dim * states)
    return text, [launch.result(4, heads * dim).integer(4)]


# Attention: 6 query heads on 2 heads of keys, of 14 numbers.
HEADS, KEY_HEADS, DIM = 6, 2, 14


def attention_text(operation, input_columns, options, result):
    x, k = f"tensor<?x{input_columns}xf32>", f"tensor<?x{KEY_HEADS}x?x{DIM}xf32>"
    results = "%y" if operation.startswith("attention ") else "%y, %k1, %v1"
    return function(
        f"{results} = kern.{operation} %x, %seqs cache %k, %v{options} : {x}, {k} -> tensor<?x{HEADS * DIM}x{result}>",
        x=x, seqs="!ssm.seqs", k=k, v=k)


def attention_launch(blocks, call, pages, columns, result="f32"):
    rows = sum(length for _, _, length in call)
    launch = Launch(blocks).rows("x", rows, columns).sequences(call, 3, pages)
    launch.caches(call, 3, pages, KEY_HEADS, DIM).result(rows, HEADS * DIM, result)
    return launch.integer(rows)


def decode_launch(call, columns):
    """Blocks take turns at 32 chunks of keys, which meet in scratch memory."""
    chunks = 32
    blocks = len(call) * KEY_HEADS * -(-chunks // len(call))
    floats = -(-(8 + chunks * HEADS // KEY_HEADS * (2 + DIM)) // 8) * 8
    launch = attention_launch(blocks, call, 5, columns)
    return launch.buffer("scratch", "f32", len(call) * KEY_HEADS * floats, "const:0")


QKV = (HEADS + 2 * KEY_HEADS) * DIM
ROPE = " query_scale(0.25) rope(<default, dims = 6, theta = 10000.0>)"


def kv_append():
    text = attention_text("kv_append", QKV, ROPE, "f32")
    call = [(1, 0, 3), (0, 62, 4), (2, 127, 1)]
    return text, [attention_launch(8, call, 3, QKV)]


def prefill():
    """A window that begins inside of a panel of keys."""
    text = attention_text("attention prefill", HEADS * DIM, " window(50)", "bf16")
    call = [(1, 40, 41), (0, 0, 3)]
    return text, [attention_launch(3 * HEADS, call, 2, HEADS * DIM, "bf16")]


def decode():
    """More panels of keys than warps: two chunks."""
    text = attention_text("attention decode", HEADS * DIM, "", "f32")
    call = [(1, 302, 1), (0, 2, 1)]
    return text, [decode_launch(call, HEADS * DIM)]


def attention_step():
    text = attention_text("attention_step", QKV,
                          ROPE + " rounded f32 window(270)", "f32")
    call = [(1, 0, 1), (0, 302, 1), (2, 105, 1)]
    return text, [decode_launch(call, QKV)]


KERNELS = {make.__name__: make for make in (
    embed, rowwise, stream_row, stream_rows, tiles, norm_gemm, conv, scan, ssd,
    ssm_step, kv_append, prefill, decode, attention_step)}
