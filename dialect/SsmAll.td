//===- SsmAll.td - All definitions of the ssm dialect ------*- tablegen ---===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

include "dialect/SsmBlockOps.td"
include "dialect/SsmOps.td"
