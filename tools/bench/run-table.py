#!/usr/bin/env python3
"""Runs `ssmc bench` and `ssmc run` over the shapes that speed is judged by and
writes one JSON object a line and a Markdown table.

    tools/bench/run-table.py --ssmc build/bin/ssmc --out tools/bench/results/FOLDER

Every figure is a share of a limit that the same process measured between its
own rounds. Descriptions and checkpoints are written to a temporary folder.
"""

import argparse
import datetime
import json
import math
import os
import pathlib
import platform
import re
import struct
import subprocess
import sys
import tempfile

MAMBA = {"model_type": "mamba", "conv_kernel": 4, "expand": 2, "hidden_act": "silu",
         "layer_norm_epsilon": 1e-5, "state_size": 16, "use_bias": False,
         "use_conv_bias": True, "rms_norm": True, "residual_in_fp32": True,
         "vocab_size": 50288, "tie_word_embeddings": True}
MAMBA2 = {"model_type": "mamba2", "conv_kernel": 4, "expand": 2, "hidden_act": "silu",
          "layer_norm_epsilon": 1e-5, "state_size": 128, "n_groups": 1, "head_dim": 64,
          "use_bias": False, "use_conv_bias": True, "rms_norm": True,
          "residual_in_fp32": True, "chunk_size": 256, "vocab_size": 50288,
          "tie_word_embeddings": True}
LLAMA = {"model_type": "llama", "hidden_act": "silu", "rms_norm_eps": 1e-5,
         "attention_bias": False, "mlp_bias": False, "rope_theta": 500000.0,
         "vocab_size": 128256, "tie_word_embeddings": True}
HYBRID = {"model_type": "nemotron_h", "mlp_hidden_act": "relu2", "mamba_hidden_act": "silu",
          "layer_norm_epsilon": 1e-5, "conv_kernel": 4, "ssm_state_size": 128,
          "n_groups": 8, "mamba_head_dim": 64, "use_bias": False, "use_conv_bias": True,
          "attention_bias": False, "mlp_bias": False, "vocab_size": 131072,
          "tie_word_embeddings": False, "head_dim": 128}

# Name -> description. The hybrid has the proportions of the paper's 8B hybrid:
# about 7 % attention, 43 % Mamba-2, 50 % MLP layers.
SHAPES = {
    "mamba-130m": {**MAMBA, "hidden_size": 768, "intermediate_size": 1536,
                   "num_hidden_layers": 24, "time_step_rank": 48},
    "mamba-790m": {**MAMBA, "hidden_size": 1536, "intermediate_size": 3072,
                   "num_hidden_layers": 48, "time_step_rank": 96},
    "mamba2-130m": {**MAMBA2, "hidden_size": 768, "num_hidden_layers": 24,
                    "num_heads": 24},
    "mamba2-780m": {**MAMBA2, "hidden_size": 1536, "num_hidden_layers": 48,
                    "num_heads": 48},
    "hybrid-1b": {**HYBRID, "hidden_size": 2048, "intermediate_size": 8192,
                  "num_hidden_layers": 28, "mamba_num_heads": 64,
                  "num_attention_heads": 16, "num_key_value_heads": 4,
                  "hybrid_override_pattern": "M-M-M*-M-M-M*-M-M-M*-M-M-M-M"},
    "llama-1b": {**LLAMA, "hidden_size": 2048, "intermediate_size": 8192,
                 "num_hidden_layers": 16, "num_attention_heads": 32,
                 "num_key_value_heads": 8, "head_dim": 64},
}
SHORT_PROMPT = 64
LONG_PROMPT = 512


BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
NAMES = {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}


def write_checkpoint(ssmc, folder, weights):
    """A checkpoint of every tensor that the model's recipes read; all values
    are small and positive, since only sizes matter here."""
    text = subprocess.run([ssmc, "compile", folder, "--emit=kern", "-o", "-"], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    shapes = {name: [int(size) for size in shape.split(",")] for name, shape in
              re.findall(r'tensor "([^"]+)"\[([0-9, ]+)\]', text)}
    header, end = {}, 0
    for name, shape in shapes.items():
        begin, end = end, end + math.prod(shape) * BYTES[weights]
        header[name] = {"dtype": NAMES[weights], "shape": shape, "data_offsets": [begin, end]}
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 64)
    one = {"float32": struct.pack("<f", 0.01), "bfloat16": struct.pack("<H", 0x3C24),
           "float16": struct.pack("<e", 0.01)}[weights]
    block = one * (1 << 20)
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(head)) + head)
        while end > 0:
            file.write(block[:end])
            end -= len(block)


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def bench(ssmc, folder, precision, batch, options):
    prompt = LONG_PROMPT if batch == 1 else SHORT_PROMPT
    command = [ssmc, "bench", folder, "--json", "--threads", str(options.threads),
               "--precision", precision, "--batch", str(batch),
               "--prompt-len", str(prompt), "--rounds", str(options.rounds)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def bench_beside_busy_core(ssmc, folder, precision, options):
    """The same, while another process keeps one core busy."""
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        return bench(ssmc, folder, precision, 1, options)
    finally:
        busy.kill()
        busy.wait()


def start(ssmc, folder, precision, cache, options):
    """One short run: its peak resident bytes and its timings."""
    command = [ssmc, "run", folder, "--tokens", "1,2,3,4,5,6,7,8",
               "-n", "4", "--ignore-eos", "--json", "--precision", precision,
               "--threads", str(options.threads)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE,
                               env={**os.environ, "XDG_CACHE_HOME": cache})
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return {"peak_resident_bytes": usage.ru_maxrss * 1024,
            "timings": json.loads(output)["timings"]}


def share(value):
    return f"{100 * value:.0f} %"


def table(rows):
    """Markdown: one line for each batch of a model."""
    lines = ["| model | weights | precision | batch | prefill of peak | decode of stream read"
             " | tokens/s against batch 1 | peak memory of weights (cold, warm)"
             " | first token, warm start |", "|" + "---|" * 9]
    single = {}
    for row in rows:
        key = (row["model"], row["weights"], row["bench"]["precision"])
        decode = row["bench"]["decode"]
        prefill = row["bench"]["prefill"]
        if row["batch"] == 1:
            single[key] = decode["tokens_per_s"]
        starts = row.get("starts")
        memory = first = ""
        if starts:
            memory = ", ".join(share(s["peak_resident_bytes"] / row["checkpoint_bytes"])
                               for s in starts)
            warm = starts[-1]["timings"]
            first = f"{warm['first_token_ms'] / 1000:.2f} s"
        lines.append("| " + " | ".join([
            *key, str(row["batch"]),
            share(prefill["share_of_peak"]) if prefill["tokens"] == LONG_PROMPT else "",
            share(decode["share_of_read"]),
            f"{decode['tokens_per_s'] / single[key]:.2f}" if key in single else "",
            memory, first]) + " |")
        if "busy" in row:
            loss = decode["median_ms"] / row["busy"]["decode"]["median_ms"]
            lines.append("| " + " | ".join([
                *key, "1, a foreign busy core", "", f"median step at {share(loss)} of its speed",
                "", "", ""]) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ssmc", required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", default="1,4,8")
    parser.add_argument("--models", default=",".join(SHAPES))
    parser.add_argument("--weights", default="bfloat16,float32,float16")
    parser.add_argument("--precisions", default="f32")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in options.models.split(","):
        for weights in options.weights.split(","):
            with tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder, name)
                path.mkdir()
                config = {**SHAPES[name], "torch_dtype": weights}
                path.joinpath("config.json").write_text(json.dumps(config, indent=1))
                for precision in options.precisions.split(","):
                    if precision == "bf16" and weights == "float32":
                        continue
                    for batch in map(int, options.batches.split(",")):
                        row = {"model": name, "weights": weights, "batch": batch,
                               "bench": bench(options.ssmc, path, precision, batch, options)}
                        if batch == 1:
                            if not path.joinpath("model.safetensors").exists():
                                write_checkpoint(options.ssmc, path, weights)
                            weights_file = path / "model.safetensors"
                            row["checkpoint_bytes"] = weights_file.stat().st_size
                            row["starts"] = [start(options.ssmc, path, precision, folder, options)
                                             for _ in range(2)]
                            row["busy"] = bench_beside_busy_core(options.ssmc, path, precision,
                                                                 options)
                        rows.append(row)
                        with open(options.out / "rows.jsonl", "a") as file:
                            file.write(json.dumps(row) + "\n")
                        print(table([row]).splitlines()[2], flush=True)
    rows = [json.loads(line) for line in open(options.out / "rows.jsonl")]
    options.out.joinpath("README.md").write_text(
        f"# {processor()}, {options.threads} threads\n\n"
        f"{datetime.date.today()}, `tools/bench/run-table.py "
        f"{' '.join(sys.argv[1:])}`. The figures behind the table are in `rows.jsonl`.\n\n"
        + table(rows))


if __name__ == "__main__":
    main()
