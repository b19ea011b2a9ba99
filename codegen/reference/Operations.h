//===- Operations.h - One plain function per op of the op form ------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows of every operand belong to one sequence whose first row stands at
// `position`. Letters of dimensions as in SsmOps.td.
//
//===----------------------------------------------------------------------===//

#pragma once

#include "codegen/reference/Interpreter.h"
#include "dialect/Ssm.h"

namespace ssm::reference {

Tensor embedding(llvm::ArrayRef<int32_t> tokens, const Tensor &table,
                 double multiplier);
Tensor linear(const Tensor &input, const Tensor &weight, const Tensor *bias);
Tensor norm(const Tensor &input, const Tensor *weight, const Tensor *bias,
            NormAttr kind);
Tensor gatedNorm(const Tensor &input, const Tensor &gate, const Tensor *weight,
                 GateOrder order, int64_t groups, double eps);
/// Means of every `count` blocks of `headDim` rows, rounded to `format`.
Tensor meanHeads(const Tensor &input, int64_t count, int64_t headDim,
                 const llvm::fltSemantics &format);
Tensor columns(const Tensor &input, int64_t first, int64_t count);
Tensor lastRow(const Tensor &input);

double activate(double x, Activation function);

/// Applies `function` to each value.
Tensor map(const Tensor &input, llvm::function_ref<double(double)> function);
/// Applies `function` to each pair of values of equal shapes.
Tensor zip(const Tensor &lhs, const Tensor &rhs,
           llvm::function_ref<double(double, double)> function);
/// Adds `bias` to each row.
Tensor addBias(const Tensor &input, const Tensor &bias);

/// `state` [C, K-1] advances.
Tensor causalConv1d(const Tensor &input, Tensor &state, const Tensor &weight,
                    const Tensor *bias, std::optional<Activation> function);
/// `state` [I, N] advances.
Tensor selectiveScan(const Tensor &input, const Tensor &dt, const Tensor &A,
                     const Tensor &B, const Tensor &C, const Tensor &D,
                     Tensor &state);
/// `state` [H, P, N] advances.
Tensor ssd(const Tensor &input, const Tensor &dt, const Tensor &A,
           const Tensor &B, const Tensor &C, const Tensor &D, Tensor &state);
Tensor rope(const Tensor &input, int64_t position, int64_t headDim,
            RopeAttr rope);
/// The caches [kv heads, length, d] grow by the rows of `key` and `value`.
Tensor attention(const Tensor &query, const Tensor &key, const Tensor &value,
                 Tensor &keyCache, Tensor &valueCache, double scale,
                 std::optional<int64_t> window);

} // namespace ssm::reference
