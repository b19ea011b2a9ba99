//===- ControlFlow.cpp - Where diverged lanes meet ------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/ptx/Program.h"

#include <algorithm>

namespace ssmrt::ptx {

namespace {

/// Basic blocks with a virtual exit as the last one.
struct Graph {
  std::vector<uint32_t> first; ///< pc of the first instruction, by block
  std::vector<std::vector<uint32_t>> successors;
  std::vector<std::vector<uint32_t>> predecessors;
  uint32_t exit = 0;
};

bool isBranch(const Instruction &instruction) {
  return instruction.target != kNoPc || instruction.kind2 == kIndexedBranch ||
         instruction.kind2 == kExit;
}

Graph build(const KernelCode &code) {
  const uint32_t size = static_cast<uint32_t>(code.code.size());
  std::vector<uint32_t> block(size + 1, 0);
  auto targets = [&](const Instruction &instruction, auto visit) {
    if (instruction.target != kNoPc)
      visit(instruction.target);
    if (instruction.kind2 == kIndexedBranch)
      for (uint32_t i = 0; i < instruction.elements; ++i)
        visit(code.lists[instruction.list + i]);
  };
  block[0] = 1;
  for (uint32_t pc = 0; pc < size; ++pc)
    if (isBranch(code.code[pc])) {
      block[pc + 1] = 1;
      targets(code.code[pc], [&](uint32_t target) { block[target] = 1; });
    }
  Graph graph;
  uint32_t count = 0;
  for (uint32_t pc = 0; pc < size; ++pc) {
    if (block[pc]) {
      graph.first.push_back(pc);
      ++count;
    }
    block[pc] = count - 1;
  }
  graph.exit = count;
  graph.successors.resize(count + 1);
  graph.predecessors.resize(count + 1);
  for (uint32_t pc = 0; pc < size; ++pc) {
    const Instruction &instruction = code.code[pc];
    const bool isLast = pc + 1 == size || block[pc + 1] != block[pc];
    if (!isLast)
      continue;
    std::vector<uint32_t> &out = graph.successors[block[pc]];
    targets(instruction,
            [&](uint32_t target) { out.push_back(block[target]); });
    if (instruction.kind2 == kExit)
      out.push_back(graph.exit);
    const bool falls = !isBranch(instruction) || instruction.guard != kNoSlot;
    if (falls && pc + 1 < size)
      out.push_back(block[pc + 1]);
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    for (uint32_t to : out)
      graph.predecessors[to].push_back(block[pc]);
  }
  return graph;
}

/// Immediate post-dominators by the algorithm of Cooper, Harvey and Kennedy on
/// the reversed graph; kNoPc where no path leads to the exit.
std::vector<uint32_t> postDominators(const Graph &graph) {
  const uint32_t count = graph.exit + 1;
  std::vector<uint32_t> order; // postorder of the reversed graph
  std::vector<uint32_t> number(count, kNoPc);
  std::vector<uint8_t> seen(count, 0);
  std::vector<std::pair<uint32_t, size_t>> stack = {{graph.exit, 0}};
  seen[graph.exit] = 1;
  while (!stack.empty()) {
    auto &[node, next] = stack.back();
    if (next < graph.predecessors[node].size()) {
      const uint32_t before = graph.predecessors[node][next++];
      if (!seen[before]) {
        seen[before] = 1;
        stack.push_back({before, 0});
      }
      continue;
    }
    number[node] = static_cast<uint32_t>(order.size());
    order.push_back(node);
    stack.pop_back();
  }
  std::vector<uint32_t> dominator(count, kNoPc);
  dominator[graph.exit] = graph.exit;
  auto meet = [&](uint32_t a, uint32_t b) {
    while (a != b) {
      while (number[a] < number[b])
        a = dominator[a];
      while (number[b] < number[a])
        b = dominator[b];
    }
    return a;
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (auto node = order.rbegin(); node != order.rend(); ++node) {
      if (*node == graph.exit)
        continue;
      uint32_t best = kNoPc;
      for (uint32_t after : graph.successors[*node])
        if (dominator[after] != kNoPc)
          best = best == kNoPc ? after : meet(best, after);
      if (best != dominator[*node]) {
        dominator[*node] = best;
        changed = true;
      }
    }
  }
  return dominator;
}

} // namespace

void findReconvergence(KernelCode &code) {
  const Graph graph = build(code);
  const std::vector<uint32_t> dominator = postDominators(graph);
  for (uint32_t block = 0; block < graph.exit; ++block) {
    const uint32_t end = block + 1 < graph.exit
                             ? graph.first[block + 1]
                             : static_cast<uint32_t>(code.code.size());
    const uint32_t meeting = dominator[block];
    if (meeting != kNoPc && meeting != graph.exit)
      code.code[end - 1].reconverge = graph.first[meeting];
  }
}

} // namespace ssmrt::ptx
