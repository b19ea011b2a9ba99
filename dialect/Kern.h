//===- Kern.h - The kern dialect ------------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "dialect/Ssm.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"

#include "dialect/KernDialect.h.inc"
#include "dialect/KernEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialect/KernAttrs.h.inc"
#define GET_OP_CLASSES
#include "dialect/KernOps.h.inc"
