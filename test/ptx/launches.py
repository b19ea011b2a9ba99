# Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arguments of ptx-run for one launch of a kernel, by the kernel ABI.

The methods add slots, which stand in the order of the operation's operands; then
row results, the table of sequences (rowwise kernels) and the number of rows.
"""

import os
import random
import struct

PAGE_TOKENS = 64
BYTES = {"f32": 4, "bf16": 2}


class Launch:
    """One launch. Inputs are random and kernels may not write them."""

    def __init__(self, grid):
        self.options = [f"--grid={grid}"]
        self.inputs = 0
        self.files = {}  # by the text that stands for it in the options

    def random(self):
        self.inputs += 1
        return f"random:{self.inputs}"

    def buffer(self, name, element, count, content):
        self.options += ["--arg", f"{name}={element}[{count}]:{content}"]
        return self

    def integer(self, value):
        self.options += ["--arg", f"u64:{value}"]
        return self

    def rows(self, name, rows, columns, element="f32", stride=None):
        stride = stride or columns + 3
        return self.buffer(name, element, rows * stride,
                           self.random() + ":readonly").integer(stride)

    def result(self, rows, columns, element="f32"):
        stride = columns + 5
        return self.buffer("result", element, rows * stride, "none").integer(stride)

    def tokens(self, tokens):
        listed = ",".join(map(str, tokens))
        return self.buffer("tokens", "s32", len(tokens), f"list:{listed}:readonly")

    def weight(self, name, count, element="f32"):
        return self.buffer(name, element, count, self.random() + ":readonly")

    def panels(self, name, rows, columns, element="f32"):
        """A matrix in panels of 8 rows, in pieces of 16 bytes of a row."""
        piece = 16 // BYTES[element]
        return self.weight(name, -(-rows // 8) * 8 * -(-columns // piece) * piece,
                           element)

    def pool(self, name, slots, count, element="f32"):
        """States or pages of `count` numbers each, with a gap behind each."""
        stride = count + 32 // BYTES[element]
        return self.buffer(name, element, slots * stride,
                           self.random()).integer(stride * BYTES[element])

    def caches(self, sequences, slots, pages, heads, dim):
        """Pools of keys and values in f32. What no row sees is NaN."""
        source = random.Random(1)
        count = PAGE_TOKENS * heads * dim
        for name in ("keys", "values"):
            pool = [float("nan")] * (slots * pages * (count + 8))
            for slot, position, length in sequences:
                for token in range(position + length):
                    page = (pages - 1 - token // PAGE_TOKENS) * slots + slot
                    for head in range(heads):
                        for d in range(dim):
                            at = token % PAGE_TOKENS
                            line = ((head * 2 + at // 32) * dim + d) * 32 + at % 32
                            row = (head * PAGE_TOKENS + at) * dim + d
                            place = line if name == "keys" else row
                            pool[page * (count + 8) + place] = source.uniform(-1, 1)
            content = f"file:<{name}>"
            self.files[f"<{name}>"] = struct.pack(f"<{len(pool)}f", *pool)
            self.buffer(name, "f32", len(pool), content).integer((count + 8) * 4)
        return self

    def command(self, folder):
        """The options, with their files in `folder`."""
        options = self.options
        for text, content in self.files.items():
            path = os.path.join(folder, text.strip("<>"))
            with open(path, "wb") as file:
                file.write(content)
            options = [option.replace(text, path) for option in options]
        return options

    def sequences(self, sequences, slots=4, pages=1, outputs=None):
        """The table of [(slot, position, length)]. A slot's pages are scattered."""
        first, tiles, rows = [0], [], []
        for index, (_, position, length) in enumerate(sequences):
            for i in range(length):
                if i == 0 or (position + i) % PAGE_TOKENS == 0:
                    tiles.append((index, i))
                rows.append((index, position + i))
            first.append(first[-1] + length)
        outputs = outputs or list(range(len(rows)))
        arrays = [
            ("first_row", "s32", first),
            ("slot", "s32", [s[0] for s in sequences]),
            ("position", "s64", [s[1] for s in sequences]),
            ("row_sequence", "s32", [r[0] for r in rows]),
            ("row_position", "s64", [r[1] for r in rows]),
            ("tile_sequence", "s32", [t[0] for t in tiles]),
            ("tile_first", "s32", [t[1] for t in tiles]),
            ("pages", "s32", [(pages - 1 - block) * slots + s[0]
                              for s in sequences for block in range(pages)]),
            ("output_row", "s32", outputs),
        ]
        for name, element, values in arrays:
            listed = ",".join(map(str, values))
            self.options += ["--buffer",
                             f"{name}={element}[{len(values)}]:list:{listed}:readonly"]
        pointers = ["&" + name for name, _, _ in arrays]
        fields = [len(rows), len(sequences), len(tiles), len(outputs),
                  *pointers[:8], pages, pointers[8]]
        listed = ",".join(map(str, fields))
        return self.buffer("table", "u64", len(fields), f"list:{listed}:readonly")
