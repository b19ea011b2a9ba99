//===- Plan.h - What to launch, as the compiler decided -------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// A plan is the host program of a model for one target: buffers, weights,
// states and launches. It is the only thing the runtime knows about a model.

#pragma once

#include "runtime/DType.h"
#include "runtime/Expression.h"
#include "runtime/Recipe.h"
#include "runtime/Status.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ssmrt {

struct PlanKernel {
  std::string name;
  int64_t offset = 0; ///< in the code image
  /// Bytes for each thread. For GPUs, of the kernel: where there are some,
  /// their address is the last argument of a launch; they are zero before the
  /// first and a launch finds what the one before has left.
  Expression scratch;
  /// For GPUs: threads of a block, and bytes of shared memory that a launch
  /// adds to what the kernel declares.
  int64_t block = 0;
  int64_t shared = 0;
  /// Pairs for each row that a kernel which makes logits leaves in its scratch
  /// memory: the largest of some logits (f32) and its column (i32, -1: they
  /// were no numbers), in the order of columns. 0: none.
  int64_t candidates = 0;
  /// What inspection shows: shared memory that the kernel declares, registers
  /// of a thread (0: not known), the least bytes and float operations.
  int64_t declaredShared = 0;
  int64_t registers = 0;
  Expression bytes;
  Expression flop;
};

/// A GPU architecture, e.g. "sm_80" or "sm_90a": number 80, 90.
struct GpuArch {
  int number = 0;
  /// With a letter the code runs on chips of this very number only.
  bool isExact = false;

  static std::optional<GpuArch> parse(std::string_view name);
  bool runsOn(int chip) const {
    return isExact ? chip == number : chip >= number;
  }
};

struct PlanWeight {
  Recipe recipe;
  PackedLayout layout;
};

enum class RowCount : uint8_t { Rows, Outputs };

/// Rows of activations. The address is arena + capacity * offset, where the
/// capacity is the number of rows that the arena of a call has.
struct PlanBuffer {
  std::string name;
  DType type = DType::F32;
  int64_t columns = 0;
  int64_t stride = 0; ///< elements from row to row
  RowCount rows = RowCount::Rows;
  int64_t offset = 0; ///< bytes for each row of capacity

  int64_t rowBytes() const { return stride * sizeOf(type); }
};

enum class StateKind : uint8_t { Conv, Ssm1, Ssm2, Key, Value };

/// A state that a layer keeps: per sequence, or per page for keys and values.
struct PlanState {
  StateKind kind = StateKind::Conv;
  /// Canonical shape: conv [C, K-1], Mamba-1 [I, N], Mamba-2 [H, P, N]; keys
  /// and values [Hkv, d].
  std::vector<int64_t> shape;
  DType type = DType::F32;
  int64_t bytes = 0; ///< of a slot or page

  bool isPaged() const {
    return kind == StateKind::Key || kind == StateKind::Value;
  }
};

struct PlanArgument {
  enum class Kind : uint8_t {
    Buffer,       ///< address of `index`, from column `value` on
    Stride,       ///< row stride of buffer `index`
    Weight,       ///< `index`-th weight of the layer
    GlobalWeight, ///< weight `index` of the plan
    State,        ///< pool of the `index`-th state of the layer
    StateStride,  ///< bytes from slot to slot, page to page
    Tokens,       ///< tokens of the call
    Seqs,         ///< SeqTable of the call
    Symbol,       ///< value of `symbol`
    Integer,      ///< `value`
  };
  Kind kind = Kind::Integer;
  int64_t index = 0;
  int64_t value = 0;
  Symbol symbol = Symbol::Rows;
};

struct PlanLaunch {
  struct Variant {
    int64_t kernel = 0;
    int64_t maxRows = -1; ///< -1: any number
    Expression grid;
  };
  /// The first whose maxRows is not below the launch's rows runs.
  std::vector<Variant> variants;
  std::vector<PlanArgument> arguments;

  /// The rows of the launch: what its last argument says.
  int64_t rowsOf(const SymbolValues &symbols) const;
  const Variant &variantFor(int64_t rows) const;
};

/// The two entry points: any number of tokens, one token per sequence.
enum class Entry : uint8_t { Prefill, Step };

struct PlanSection {
  std::vector<PlanLaunch> prefill;
  std::vector<PlanLaunch> step;

  const std::vector<PlanLaunch> &of(Entry entry) const {
    return entry == Entry::Prefill ? prefill : step;
  }
};

struct PlanBody {
  std::string name;
  std::vector<int64_t> states;
  PlanSection launches;
};

struct PlanLayer {
  /// Number of the layer in the checkpoint: hidden and final states carry it.
  /// Several layers of a plan may share one.
  int64_t number = 0;
  int64_t body = 0;
  std::vector<int64_t> weights;
};

struct Plan {
  std::string target;
  /// Whether kernels are machine code of this process or PTX for `arch`.
  bool isGpu = false;
  GpuArch arch;
  std::string precision;
  std::vector<std::string> features;
  std::vector<PlanKernel> kernels;
  std::vector<PlanWeight> weights;
  std::vector<PlanBuffer> buffers;
  std::vector<PlanState> states;
  std::vector<PlanBody> bodies;
  std::vector<PlanLayer> layers;
  PlanSection before;
  PlanSection after;
  int64_t logits = 0;
  int64_t residual = 0; ///< buffer of the residual stream
  /// Buffer that the last matrix product reads, -1 if it is not as wide as the
  /// residual stream.
  int64_t headInput = -1;
  int64_t vocab = 0;
  int64_t hidden = 0;
  int64_t prefillChunk = 512;
  std::vector<int32_t> endTokens;
  /// Bytes of the arena for each row of capacity.
  int64_t arenaRowBytes = 0;

  /// Reads and checks the JSON of a plan; failures name `place`. Every index
  /// and size of the result is valid.
  static Expected<Plan> parse(std::string_view text, const std::string &place);
};

/// Tokens of one page of a key or value cache.
constexpr int64_t kPageTokens = 64;
/// Tokens whose keys lie together in a page.
constexpr int64_t kKeyPanel = 32;
/// Channels of Mamba-1 whose states lie together.
constexpr int64_t kScanPanel = 16;

} // namespace ssmrt
