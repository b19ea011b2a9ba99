# Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Hugging Face directories with random sizes, spellings, types and shards."""

import array
import dataclasses
import json
import math
import os
import struct

FAMILIES = ("mamba", "mamba2", "nemotron_h", "llama", "nemotron")
INFINITY = {"__float__": "Infinity"}


@dataclasses.dataclass
class Layer:
    kind: str
    norm: str
    prefix: str
    sizes: dict


class Model:
    """config.json, the shapes of all tensors, and what they mean.

    `tensors` maps a name to (shape, role); roles choose the distribution.
    """

    def __init__(self, rng, family):
        self.rng = rng
        pick = rng.choice
        self.vocab, self.hidden = pick((7, 50, 129, 300)), pick((3, 8, 24, 33, 40))
        self.eps = pick((1e-5, 1e-6, 1e-3))
        self.tied = pick((True, False))
        self.has_layer_norm = family == "nemotron"
        self.tensors, self.layers = {}, []
        self.config = {"model_type": family, "vocab_size": self.vocab}
        getattr(self, "_" + family)()
        self.config["hidden_size"] = self.hidden
        tied_by_default = family == "mamba"
        if self.tied != tied_by_default or pick((True, False)):
            self.config["tie_word_embeddings"] = self.tied
        self.tensors[self.embedding + ".weight"] = ((self.vocab, self.hidden), "vectors")
        self._norm(self.final_norm)
        self.head = self.embedding if self.tied else "lm_head"
        if not self.tied:
            self._matrix(self.head, self.vocab, self.hidden)

    def _matrix(self, name, outs, ins, bias=False):
        self.tensors[name + ".weight"] = ((outs, ins), "matrix")
        if bias:
            self.tensors[name + ".bias"] = ((outs,), "bias")

    def _norm(self, name):
        self.tensors[name + ".weight"] = ((self.hidden,), "gain")
        if self.has_layer_norm:
            self.tensors[name + ".bias"] = ((self.hidden,), "bias")

    def _layer(self, kind, norm, prefix, **sizes):
        self._norm(norm)
        self.layers.append(Layer(kind, norm, prefix, sizes))

    def _backbone(self):
        self.embedding, self.final_norm = "backbone.embeddings", "backbone.norm_f"
        self.config["layer_norm_epsilon"] = self.eps

    def _ssm_sizes(self):
        """Keys that all families with a state share."""
        pick = self.rng.choice
        keys = {"conv_kernel": pick((1, 2, 3, 4, 5)), "use_bias": pick((True, False)),
                "use_conv_bias": pick((True, True, False))}
        self.config.update(keys)
        return pick((1, 7, 8, 16, 24, 64, 256)), keys

    def _mamba(self):
        self._backbone()
        pick = self.rng.choice
        state, keys = self._ssm_sizes()
        hidden, taps = self.hidden, keys["conv_kernel"]
        inner = pick((2 * hidden, 3 * hidden, hidden, 2 * hidden + 5))
        if inner != 2 * hidden or pick((True, False)):
            self.config["intermediate_size"] = inner
        automatic = math.ceil(hidden / 16)
        rank = pick((1, 5, automatic))
        if rank != automatic or pick((True, False)):
            self.config["time_step_rank"] = rank if rank != automatic else "auto"
        count = pick((1, 2, 3))
        self.config.update(num_hidden_layers=count, state_size=state)
        for i in range(count):
            p = f"backbone.layers.{i}.mixer."
            self._matrix(p + "in_proj", 2 * inner, hidden, keys["use_bias"])
            self._conv(p, inner, taps, keys["use_conv_bias"])
            self._matrix(p + "x_proj", rank + 2 * state, inner)
            self._matrix(p + "dt_proj", inner, rank)
            self.tensors[p + "dt_proj.bias"] = ((inner,), "step")
            self.tensors[p + "A_log"] = ((inner, state), "decay")
            self.tensors[p + "D"] = ((inner,), "gain")
            self._matrix(p + "out_proj", hidden, inner, keys["use_bias"])
            self._layer("mamba", f"backbone.layers.{i}.norm", p, inner=inner,
                        state=state, rank=rank, taps=taps)

    def _conv(self, prefix, channels, taps, bias):
        self.tensors[prefix + "conv1d.weight"] = ((channels, 1, taps), "taps")
        if bias:
            self.tensors[prefix + "conv1d.bias"] = ((channels,), "bias")

    def _heads(self):
        heads = self.rng.choice((1, 2, 3, 4, 6, 12))
        groups = self.rng.choice([g for g in range(1, heads + 1) if heads % g == 0])
        return heads, self.rng.choice((1, 5, 8, 13, 16)), groups

    def _mamba2_layer(self, i, heads, width, groups, state, keys, limit):
        p = f"backbone.layers.{i}.mixer."
        inner, shared = heads * width, 2 * groups * state
        self._matrix(p + "in_proj", 2 * inner + shared + heads, self.hidden,
                     keys["use_bias"])
        self._conv(p, inner + shared, keys["conv_kernel"], keys["use_conv_bias"])
        self.tensors[p + "dt_bias"] = ((heads,), "step")
        self.tensors[p + "A_log"] = ((heads,), "decay")
        self.tensors[p + "D"] = ((heads,), "gain")
        self.tensors[p + "norm.weight"] = ((inner,), "gain")
        self._matrix(p + "out_proj", self.hidden, inner, keys["use_bias"])
        self._layer("mamba2", f"backbone.layers.{i}.norm", p, heads=heads, width=width,
                    state=state, groups=groups, taps=keys["conv_kernel"], limit=limit,
                    eps=self.eps)

    def _mamba2(self):
        self._backbone()
        pick = self.rng.choice
        state, keys = self._ssm_sizes()
        heads, width, groups = self._heads()
        expand = pick([e for e in (1, 2, 4) if heads * width % e == 0])
        self.hidden = heads * width // expand
        limit = pick(((0.0, math.inf), (0.01, 0.2), (0.3, math.inf)))
        if limit != (0.0, math.inf) or pick((True, False)):
            high = limit[1] if limit[1] != math.inf else pick((INFINITY, math.inf))
            self.config["time_step_limit"] = [limit[0], high]
        if expand != 2 or pick((True, False)):
            self.config["expand"] = expand
        count = pick((1, 2, 3))
        self.config.update(num_hidden_layers=count, num_heads=heads, head_dim=width,
                           state_size=state, n_groups=groups, chunk_size=pick((1, 17)))
        for i in range(count):
            self._mamba2_layer(i, heads, width, groups, state, keys, limit)

    def _attention_heads(self):
        kv_heads = self.rng.choice((1, 2, 3))
        return kv_heads * self.rng.choice((1, 2, 3)), kv_heads

    def _projections(self, prefix, heads, kv_heads, width, bias):
        for name, count in (("q", heads), ("k", kv_heads), ("v", kv_heads)):
            self._matrix(f"{prefix}{name}_proj", count * width, self.hidden, bias)
        self._matrix(prefix + "o_proj", self.hidden, heads * width, bias)

    def _nemotron_h(self):
        self._backbone()
        pick = self.rng.choice
        state, keys = self._ssm_sizes()
        heads, width, groups = self._heads()
        q_heads, kv_heads = self._attention_heads()
        head_dim, inner = pick((1, 4, 7, 16, 33)), pick((1, 30, 77))
        act, mlp_bias = pick(("relu2", "gelu", "silu")), pick((True, False))
        letters = "".join(pick("M*-") for _ in range(pick((1, 3, 5))))
        words = {"M": ("mamba", "linear_attention"), "*": ("attention", "full_attention"),
                 "-": ("mlp",)}
        if pick((True, False)):
            self.config["hybrid_override_pattern"] = letters
        else:
            self.config["layers_block_type"] = [pick(words[x]) for x in letters]
        self.config[pick(("head_dim", "attention_head_dim"))] = head_dim
        self.config.update(mamba_num_heads=heads, mamba_head_dim=width, n_groups=groups,
                           ssm_state_size=state, num_attention_heads=q_heads,
                           num_key_value_heads=kv_heads, intermediate_size=inner,
                           mlp_hidden_act=act, mlp_bias=mlp_bias,
                           num_hidden_layers=len(letters))
        for i, letter in enumerate(letters):
            norm, p = f"backbone.layers.{i}.norm", f"backbone.layers.{i}.mixer."
            if letter == "M":
                self._mamba2_layer(i, heads, width, groups, state, keys, (0.0, math.inf))
            elif letter == "*":
                self._projections(p, q_heads, kv_heads, head_dim, False)
                self._layer("attention", norm, p, heads=q_heads, kv_heads=kv_heads,
                            width=head_dim)
            else:
                self._matrix(p + "up_proj", inner, self.hidden, mlp_bias)
                self._matrix(p + "down_proj", self.hidden, inner, mlp_bias)
                self._layer("mlp", norm, p, activation=act, gated=False)

    def _llama(self):
        self._decoder("rms_norm_eps", gated=True, partial=1.0)

    def _nemotron(self):
        self._decoder("norm_eps", gated=False, partial=self.rng.choice((0.5, 1.0)))

    def _rope(self, partial):
        """Writes either spelling; returns (theta, scaling)."""
        pick = self.rng.choice
        theta = pick((10000.0, 500000.0, 1000.5))
        scaling = pick(({}, {"rope_type": "linear", "factor": 3.0},
                        {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                         "high_freq_factor": 4.0,
                         "original_max_position_embeddings": 64}))
        own = {} if self.config["model_type"] == "llama" else {
            "partial_rotary_factor": partial}
        if pick((True, False)):
            self.config["rope_parameters"] = {"rope_theta": theta, **own,
                                              **(scaling or {"rope_type": "default"})}
        else:
            self.config.update(rope_theta=theta, rope_scaling=scaling or None, **own)
        return theta, scaling

    def _decoder(self, eps_key, gated, partial):
        from plain_model import rope_frequencies
        self.embedding, self.final_norm = "model.embed_tokens", "model.norm"
        pick = self.rng.choice
        heads, kv_heads = self._attention_heads()
        width, inner, act = pick((4, 8, 12, 40)), pick((1, 31, 100)), pick(("silu", "relu2"))
        if pick((True, False)):
            self.hidden = heads * width
        else:
            self.config["head_dim"] = width
        if heads != kv_heads or pick((True, False)):
            self.config["num_key_value_heads"] = kv_heads
        bias, mlp_bias, count = pick((True, False)), pick((True, False)), pick((1, 2, 3))
        self.config.update({eps_key: self.eps}, num_hidden_layers=count, hidden_act=act,
                           num_attention_heads=heads, intermediate_size=inner,
                           attention_bias=bias, mlp_bias=mlp_bias)
        frequencies = rope_frequencies(int(width * partial), *self._rope(partial))
        for i in range(count):
            p = f"model.layers.{i}."
            self._projections(p + "self_attn.", heads, kv_heads, width, bias)
            for name in ("gate_proj", "up_proj") if gated else ("up_proj",):
                self._matrix(f"{p}mlp.{name}", inner, self.hidden, mlp_bias)
            self._matrix(p + "mlp.down_proj", self.hidden, inner, mlp_bias)
            self._layer("attention", p + "input_layernorm", p + "self_attn.", heads=heads,
                        kv_heads=kv_heads, width=width, frequencies=frequencies)
            self._layer("mlp", p + "post_attention_layernorm", p + "mlp.",
                        activation=act, gated=gated)

    def _values(self, shape, role):
        count, rng = math.prod(shape), self.rng
        draw = {"matrix": lambda: rng.gauss(0, 1.2 / math.sqrt(shape[-1])),
                "vectors": lambda: rng.gauss(0, 1),
                "taps": lambda: rng.uniform(-1, 1),
                "gain": lambda: rng.uniform(-0.4, 0.4) + (not self.has_layer_norm),
                "bias": lambda: rng.uniform(-0.5, 0.5),
                "step": lambda: rng.uniform(-5, 1),
                "decay": lambda: rng.uniform(-1, 2.8)}[role]
        return [draw() for _ in range(count)]

    def write(self, folder):
        """Writes the directory; returns {name: (shape, values as stored)}."""
        pick, weights, blobs = self.rng.choice, {}, {}
        style = pick(("F32", "BF16", "F16", "any", "vectors in F32"))
        for name, (shape, role) in self.tensors.items():
            kind = style
            if style == "any":
                kind = pick(("F32", "BF16", "F16"))
            elif style == "vectors in F32":
                kind = "F32" if role in ("gain", "step", "decay") else "BF16"
            data, values = encode(kind, self._values(shape, role))
            blobs[name], weights[name] = (kind, shape, data), (shape, values)
        names = {"F32": "float32", "F16": "float16"}
        self.config[pick(("dtype", "torch_dtype"))] = names.get(style, "bfloat16")
        with open(os.path.join(folder, "config.json"), "w") as file:
            json.dump(self.config, file)
        self._write_files(folder, blobs)
        return weights

    def _write_files(self, folder, blobs):
        names = list(blobs)
        self.rng.shuffle(names)
        if self.rng.choice((True, False)):
            return write_tensors(os.path.join(folder, "model.safetensors"), names, blobs)
        index = {}
        for shard in range(2):
            part = f"model-{shard + 1:05d}-of-00002.safetensors"
            write_tensors(os.path.join(folder, part), names[shard::2], blobs)
            index.update(dict.fromkeys(names[shard::2], part))
        with open(os.path.join(folder, "model.safetensors.index.json"), "w") as file:
            json.dump({"metadata": {"total_size": 0}, "weight_map": index}, file)
        return None


def encode(kind, values):
    """Bytes of `values` in a type, and the values that they hold."""
    if kind == "F16":
        data = struct.pack(f"<{len(values)}e", *values)
        return data, struct.unpack(f"<{len(values)}e", data)
    data = struct.pack(f"<{len(values)}f", *values)
    if kind == "BF16":
        words = [(w + 0x7FFF + (w >> 16 & 1)) >> 16
                 for w in struct.unpack(f"<{len(values)}I", data)]
        exact = struct.pack(f"<{len(values)}I", *(w << 16 for w in words))
        return struct.pack(f"<{len(words)}H", *words), list(array.array("f", exact))
    return data, list(array.array("f", data))


def write_tensors(path, names, blobs):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name in names:
        kind, shape, data = blobs[name]
        header[name] = {"dtype": kind, "shape": shape,
                        "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in names:
            file.write(blobs[name][2])
