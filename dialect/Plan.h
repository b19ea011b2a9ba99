//===- Plan.h - The plan dialect ------------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "dialect/Kern.h"

#include "dialect/PlanDialect.h.inc"
#include "dialect/PlanEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialect/PlanAttrs.h.inc"
#define GET_OP_CLASSES
#include "dialect/PlanOps.h.inc"
