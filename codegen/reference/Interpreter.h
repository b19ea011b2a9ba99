//===- Interpreter.h - Op form in double precision ------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The oracle of the numerics tests: one plain function per op, no fusion, no
// chunking, every sum in double precision and in index order.
//
//===----------------------------------------------------------------------===//

#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"

#include <functional>
#include <memory>
#include <vector>

namespace ssm::reference {

/// A tensor in row-major order. Weights keep their values as f32, which holds
/// every storage type exactly; everything computed is double.
struct Tensor {
  llvm::SmallVector<int64_t> shape;
  std::vector<double> values;
  std::shared_ptr<const std::vector<float>> weight;

  int64_t dim(unsigned i) const { return shape[i]; }
  double operator[](size_t i) const {
    return weight ? (*weight)[i] : values[i];
  }
};

/// Finds a tensor of the checkpoint by name and shape, widened to f32.
using WeightSource =
    std::function<llvm::Expected<std::shared_ptr<const std::vector<float>>>(
        llvm::StringRef name, llvm::ArrayRef<int64_t> shape)>;

/// What one sequence has seen: its length and, per layer, the states of the
/// layer's body in argument order. Shapes: conv [C, K-1]; Mamba-1 [I, N];
/// Mamba-2 [H, P, N]; key and value caches [kv heads, length, d].
struct Sequence {
  int64_t position = 0;
  std::vector<std::vector<Tensor>> states;
};

/// Called with the residual stream that enters the layers (-1), that leaves
/// layer i (i >= 0), and with the input of the head (`kFinalNorm`).
using HiddenObserver = std::function<void(int64_t layer, const Tensor &rows)>;
inline constexpr int64_t kFinalNorm = -2;

class Interpreter {
public:
  /// Takes a module with one `ssm.program` in op form. The module must outlive
  /// the interpreter.
  static llvm::Expected<Interpreter> create(mlir::ModuleOp module,
                                            WeightSource weights);

  int64_t vocab() const { return vocabSize; }
  llvm::ArrayRef<int64_t> endTokens() const { return ends; }

  /// Feeds `tokens` to `sequence`, which advances, and returns the logits of
  /// every token, [tokens, vocab], or of the last one.
  llvm::Expected<Tensor> evaluate(Sequence &sequence,
                                  llvm::ArrayRef<int32_t> tokens, bool lastOnly,
                                  const HiddenObserver &observer = nullptr);

private:
  mlir::ModuleOp module;
  WeightSource source;
  llvm::StringMap<Tensor> cache;
  int64_t vocabSize = 0;
  llvm::SmallVector<int64_t> ends;

  friend class Evaluation;
};

} // namespace ssm::reference
