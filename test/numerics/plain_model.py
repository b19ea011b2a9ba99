# Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models in plain Python: a second opinion on the reference interpreter.

Written from the formulas alone, token by token, in double precision, and slow.
Rows are lists of floats; `weights` maps names to (shape, values).
"""

import math


def silu(v):
    return v / (1 + math.exp(-v)) if v > -700 else 0.0


def softplus(v):
    return v if v > 20 else math.log1p(math.exp(v))


def gelu_tanh(v):
    return 0.5 * v * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v ** 3)))


ACTIVATIONS = {
    "silu": silu,
    "relu2": lambda v: max(v, 0.0) ** 2,
    "gelu": lambda v: 0.5 * v * (1 + math.erf(v / math.sqrt(2))),
    "gelu_pytorch_tanh": gelu_tanh,
}


def dot(a, b):
    return math.fsum(map(lambda x, y: x * y, a, b))


def linear(weights, name, rows):
    (outs, ins), matrix = weights[name + ".weight"]
    bias = weights.get(name + ".bias", (None, [0.0] * outs))[1]
    return [[bias[o] + dot(matrix[o * ins:(o + 1) * ins], row) for o in range(outs)]
            for row in rows]


def rms_norm(rows, gain, eps, groups=1):
    result = []
    for row in rows:
        width = len(row) // groups
        normed = []
        for g in range(groups):
            part = row[g * width:(g + 1) * width]
            scale = 1 / math.sqrt(dot(part, part) / width + eps)
            normed += [v * scale for v in part]
        result.append([v * w for v, w in zip(normed, gain)])
    return result


def layer_norm_1p(rows, gain, bias, eps):
    result = []
    for row in rows:
        mean = math.fsum(row) / len(row)
        variance = math.fsum((v - mean) ** 2 for v in row) / len(row)
        scale = 1 / math.sqrt(variance + eps)
        result.append([(v - mean) * scale * (g + 1) + b
                       for v, g, b in zip(row, gain, bias)])
    return result


def causal_conv(weights, name, rows, taps):
    kernel = weights[name + ".weight"][1]
    channels = len(rows[0])
    bias = weights.get(name + ".bias", (None, [0.0] * channels))[1]
    result = []
    for t in range(len(rows)):
        known = [(k, rows[t - taps + 1 + k]) for k in range(taps) if t - taps + 1 + k >= 0]
        result.append([silu(bias[c] + math.fsum(kernel[c * taps + k] * row[c]
                                                for k, row in known))
                       for c in range(channels)])
    return result


def mamba(weights, prefix, rows, inner, state, rank, taps):
    both = linear(weights, prefix + "in_proj", rows)
    x = causal_conv(weights, prefix + "conv1d", [row[:inner] for row in both], taps)
    projected = linear(weights, prefix + "x_proj", x)
    steps = linear(weights, prefix + "dt_proj", [row[:rank] for row in projected])
    decay = [-math.exp(a) for a in weights[prefix + "A_log"][1]]
    skip = weights[prefix + "D"][1]
    h = [[0.0] * state for _ in range(inner)]
    result = []
    for t, row in enumerate(projected):
        B, C = row[rank:rank + state], row[rank + state:]
        y = []
        for i in range(inner):
            dt = softplus(steps[t][i])
            for n in range(state):
                h[i][n] = (math.exp(dt * decay[i * state + n]) * h[i][n]
                           + dt * x[t][i] * B[n])
            y.append((dot(h[i], C) + skip[i] * x[t][i]) * silu(both[t][inner + i]))
        result.append(y)
    return linear(weights, prefix + "out_proj", result)


def mamba2(weights, prefix, rows, heads, width, state, groups, taps, limit, eps):
    inner = heads * width
    both = linear(weights, prefix + "in_proj", rows)
    xbc = causal_conv(weights, prefix + "conv1d",
                      [row[inner:2 * inner + 2 * groups * state] for row in both], taps)
    decay = [-math.exp(a) for a in weights[prefix + "A_log"][1]]
    skip = weights[prefix + "D"][1]
    dt_bias = weights[prefix + "dt_bias"][1]
    S = [[[0.0] * state for _ in range(width)] for _ in range(heads)]
    result = []
    for row, z in zip(xbc, both):
        y = []
        for h in range(heads):
            group = h // (heads // groups) * state
            B = row[inner + group:inner + group + state]
            C = row[inner + groups * state + group:inner + groups * state + group + state]
            dt = softplus(z[len(z) - heads + h] + dt_bias[h])
            dt = min(max(dt, limit[0]), limit[1])
            keep = math.exp(dt * decay[h])
            for p in range(width):
                x = row[h * width + p]
                S[h][p] = [keep * s + dt * x * b for s, b in zip(S[h][p], B)]
                y.append((dot(S[h][p], C) + skip[h] * x) * silu(z[h * width + p]))
        result.append(y)
    gain = weights[prefix + "norm.weight"][1]
    return linear(weights, prefix + "out_proj", rms_norm(result, gain, eps, groups))


def rope_frequencies(dims, theta, scaling):
    plain = [theta ** (-2 * i / dims) for i in range(dims // 2)]
    kind = scaling.get("rope_type", "default")
    if kind == "linear":
        return [f / scaling["factor"] for f in plain]
    if kind == "default":
        return plain
    original = scaling["original_max_position_embeddings"]
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]

    def scaled(f):
        turns = original * f / (2 * math.pi)
        share = min(max((turns - low) / (high - low), 0.0), 1.0)
        return (1 - share) * f / scaling["factor"] + share * f
    return [scaled(f) for f in plain]


def rotate(vector, position, frequencies):
    half = len(frequencies)
    result = list(vector)
    for i, f in enumerate(frequencies):
        cos, sin = math.cos(position * f), math.sin(position * f)
        result[i] = vector[i] * cos - vector[i + half] * sin
        result[i + half] = vector[i + half] * cos + vector[i] * sin
    return result


def attention(weights, prefix, rows, heads, kv_heads, width, frequencies=()):
    def project(name, count, rotated):
        split = [[row[h * width:(h + 1) * width] for h in range(count)]
                 for row in linear(weights, prefix + name, rows)]
        if not rotated:
            return split
        return [[rotate(v, t, frequencies) for v in row] for t, row in enumerate(split)]
    q = project("q_proj", heads, True)
    k = project("k_proj", kv_heads, True)
    v = project("v_proj", kv_heads, False)
    result = []
    for t in range(len(rows)):
        out = []
        for h in range(heads):
            g = h // (heads // kv_heads)
            scores = [dot(q[t][h], k[j][g]) / math.sqrt(width) for j in range(t + 1)]
            powers = [math.exp(s - max(scores)) for s in scores]
            total = math.fsum(powers)
            out += [math.fsum(p * v[j][g][i] for j, p in enumerate(powers)) / total
                    for i in range(width)]
        result.append(out)
    return linear(weights, prefix + "o_proj", result)


def mlp(weights, prefix, rows, activation, gated):
    act = ACTIVATIONS[activation]
    up = linear(weights, prefix + "up_proj", rows)
    if gated:
        gate = linear(weights, prefix + "gate_proj", rows)
        inner = [[act(g) * u for g, u in zip(*pair)] for pair in zip(gate, up)]
    else:
        inner = [[act(u) for u in row] for row in up]
    return linear(weights, prefix + "down_proj", inner)


MIXERS = {"mamba": mamba, "mamba2": mamba2, "attention": attention, "mlp": mlp}


def logits(weights, model, tokens):
    """Logits of all tokens in one list. `model` is a Model of generated_model."""
    (_, hidden), table = weights[model.embedding + ".weight"]
    rows = [table[t * hidden:(t + 1) * hidden] for t in tokens]

    def norm(name, rows):
        gain = weights[name + ".weight"][1]
        if model.has_layer_norm:
            return layer_norm_1p(rows, gain, weights[name + ".bias"][1], model.eps)
        return rms_norm(rows, gain, model.eps)
    for layer in model.layers:
        mixed = MIXERS[layer.kind](weights, layer.prefix, norm(layer.norm, rows),
                                   **layer.sizes)
        rows = [[a + b for a, b in zip(*pair)] for pair in zip(rows, mixed)]
    return [v for row in linear(weights, model.head, norm(model.final_norm, rows))
            for v in row]
