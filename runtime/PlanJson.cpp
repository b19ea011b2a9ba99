//===- PlanJson.cpp - Read and check plans --------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Checked.h"
#include "runtime/Guarded.h"
#include "runtime/Json.h"
#include "runtime/Plan.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

namespace ssmrt {

namespace {

constexpr int64_t kPlanVersion = 1;
constexpr int64_t kWidestRow = int64_t{1} << 32;
constexpr int64_t kMostVocab = int64_t{1} << 31;
constexpr int64_t kMostLayers = int64_t{1} << 20;
constexpr int64_t kLargestChunk = int64_t{1} << 20;
constexpr int64_t kLargestState = int64_t{1} << 40;
constexpr int64_t kLargestBlock = 1024;
constexpr int64_t kMostSharedMemory = int64_t{1} << 20;

class PlanReader {
public:
  PlanReader(const JsonReader &root) : root(root) {}

  Plan read() {
    root.field("version").integer(kPlanVersion, kPlanVersion);
    root.field("page_tokens").integer(kPageTokens, kPageTokens);
    plan.target = root.field("target").string();
    readDevice();
    plan.precision = root.field("precision").string();
    forEach(root.field("features"), [&](const JsonReader &json) {
      plan.features.push_back(json.string());
    });
    forEach(root.field("kernels"),
            [&](const JsonReader &json) { readKernel(json); });
    forEach(root.field("weights"),
            [&](const JsonReader &json) { readWeight(json); });
    forEach(root.field("buffers"),
            [&](const JsonReader &json) { readBuffer(json); });
    forEach(root.field("states"),
            [&](const JsonReader &json) { readState(json); });
    forEach(root.field("bodies"),
            [&](const JsonReader &json) { readBody(json); });
    forEach(root.field("layers"),
            [&](const JsonReader &json) { readLayer(json); });
    const JsonReader program = root.field("program");
    plan.before = readSection(program.field("before"), nullptr);
    plan.after = readSection(program.field("after"), nullptr);
    readTotals();
    return std::move(plan);
  }

private:
  template <class Body> void forEach(const JsonReader &array, Body body) {
    for (size_t i = 0, end = array.size(); i < end; ++i)
      body(array.at(i));
  }

  /// An index into a list of `count` elements.
  static int64_t index(const JsonReader &json, size_t count) {
    if (count == 0) {
      json.fail("index into an empty list");
      return 0;
    }
    return json.integer(0, static_cast<int64_t>(count) - 1);
  }

  void readDevice() {
    const std::string device =
        root.has("device") ? root.field("device").string() : "cpu";
    plan.isGpu = device == "cuda";
    if (!plan.isGpu && device != "cpu")
      root.field("device").fail("got '" + device + "', supported cpu, cuda");
    if (!plan.isGpu)
      return;
    const std::string arch = root.field("arch").string();
    if (std::optional<GpuArch> parsed = GpuArch::parse(arch))
      plan.arch = *parsed;
    else
      root.field("arch").fail("got '" + arch + "', expected sm_<number>");
  }

  /// What nothing but inspection needs.
  static void readDescription(const JsonReader &json, PlanKernel &kernel) {
    if (json.has("declared_shared"))
      kernel.declaredShared =
          json.field("declared_shared").integer(0, kMostSharedMemory);
    if (json.has("registers"))
      kernel.registers = json.field("registers").integer(0, kLargestBlock);
    if (json.has("bytes"))
      kernel.bytes = Expression::read(json.field("bytes"));
    if (json.has("flop"))
      kernel.flop = Expression::read(json.field("flop"));
  }

  /// Fails unless the scratch memory of `kernel` holds its pairs of a value and
  /// a token.
  static void checkCandidates(const JsonReader &json,
                              const PlanKernel &kernel) {
    constexpr int64_t kPairBytes = 8;
    const int64_t most = kernel.scratch.evaluate({1, 1, 1, 1}) / kPairBytes;
    if (kernel.candidates > most)
      json.fail("got " + std::to_string(kernel.candidates) +
                ", expected at most " + std::to_string(most) +
                " pairs in the kernel's scratch");
  }

  void readKernel(const JsonReader &json) {
    PlanKernel kernel;
    kernel.name = json.field("name").string();
    if (plan.isGpu) {
      kernel.block = json.field("block").integer(1, kLargestBlock);
      kernel.shared = json.field("shared").integer(0, kMostSharedMemory);
      if (json.has("candidates"))
        kernel.candidates = json.field("candidates").integer(1, kWidestRow);
      readDescription(json, kernel);
    } else {
      kernel.offset = json.field("offset").integer(0, kLargestSize);
    }
    kernel.scratch = Expression::read(json.field("scratch"));
    if (kernel.candidates > 0 && json.errorsOf().ok())
      checkCandidates(json.field("candidates"), kernel);
    plan.kernels.push_back(std::move(kernel));
  }

  static DType weightType(const JsonReader &json) {
    const std::string name = json.string();
    if (std::optional<DType> type = findWeightType(name))
      return *type;
    json.fail("got '" + name + "', supported f32, bf16, f16");
    return DType::F32;
  }

  RecipeStep readStep(const JsonReader &json) {
    RecipeStep step;
    const std::string name = json.field("verb").string();
    if (std::optional<Verb> verb = findVerb(name))
      step.verb = *verb;
    else
      json.fail("verb, got '" + name + "'");
    if (step.verb == Verb::Tensor) {
      step.name = json.field("name").string();
      step.numbers = json.field("shape").integers(1, kLargestSize);
    }
    if (step.verb == Verb::Slice)
      step.numbers = {json.field("begin").integer(0, kLargestSize),
                      json.field("end").integer(0, kLargestSize)};
    if (step.verb == Verb::Concat || step.verb == Verb::Interleave)
      step.numbers = {json.field("n").integer(1, kLargestSize)};
    if (step.verb == Verb::Scale || step.verb == Verb::Add)
      step.value = json.field("value").number();
    if (step.verb == Verb::Mean || step.verb == Verb::Pack) {
      step.type = weightType(json.field("type"));
      if (json.has("numbers"))
        step.numbers = json.field("numbers").integers(1, kLargestSize);
    }
    return step;
  }

  void readWeight(const JsonReader &json) {
    PlanWeight weight;
    forEach(json.field("recipe"), [&](const JsonReader &step) {
      weight.recipe.steps.push_back(readStep(step));
    });
    if (json.errorsOf().ok()) {
      Expected<PackedLayout> layout = layoutOf(weight.recipe);
      if (layout)
        weight.layout = *layout;
      else
        json.fail(layout.status().message);
    }
    expect(json, "rows", weight.layout.rows);
    expect(json, "columns", weight.layout.columns);
    expect(json, "bytes", weight.layout.bytes());
    plan.weights.push_back(std::move(weight));
  }

  /// The value that a field must have.
  static void expect(const JsonReader &json, const char *key, int64_t value) {
    json.field(key).integer(value, value);
  }

  void readBuffer(const JsonReader &json) {
    PlanBuffer buffer;
    buffer.name = json.field("name").string();
    buffer.type = weightType(json.field("type"));
    buffer.columns = json.field("columns").integer(1, kWidestRow);
    buffer.stride = json.field("stride").integer(buffer.columns, kWidestRow);
    buffer.offset = json.field("offset").integer(0, kWidestRow);
    const Symbol rows = readSymbol(json.field("rows"));
    if (rows != Symbol::Rows && rows != Symbol::Outputs)
      json.field("rows").fail("supported rows, outputs");
    buffer.rows = rows == Symbol::Outputs ? RowCount::Outputs : RowCount::Rows;
    if (buffer.offset % sizeOf(buffer.type) != 0)
      json.fail("offset, got " + std::to_string(buffer.offset) +
                ", expected a multiple of the element size");
    plan.arenaRowBytes =
        std::max(plan.arenaRowBytes, buffer.offset + buffer.rowBytes());
    plan.buffers.push_back(std::move(buffer));
  }

  void readState(const JsonReader &json) {
    PlanState state;
    const std::string kind = json.field("kind").string();
    if (kind == "key" || kind == "value") {
      state.kind = kind == "key" ? StateKind::Key : StateKind::Value;
      state.shape = {json.field("heads").integer(1, kLargestSize),
                     json.field("head_dim").integer(1, kLargestSize)};
      state.type = weightType(json.field("type"));
    } else {
      size_t dimensions = 2;
      if (kind == "conv")
        state.kind = StateKind::Conv;
      else if (kind == "ssm1")
        state.kind = StateKind::Ssm1;
      else if (kind == "ssm2") {
        state.kind = StateKind::Ssm2;
        dimensions = 3;
      } else
        json.fail("kind, got '" + kind +
                  "', supported conv, ssm1, ssm2, key, value");
      const int64_t least = state.kind == StateKind::Conv ? 0 : 1;
      state.shape = json.field("shape").integers(least, kLargestSize);
      if (state.shape.size() != dimensions)
        json.field("shape").fail("expected " + std::to_string(dimensions) +
                                 " dimensions");
    }
    state.bytes = json.field("bytes").integer(0, kLargestState);
    const std::optional<int64_t> needed = bytesOf(state);
    if (json.errorsOf().ok() && (!needed || state.bytes < *needed))
      json.fail("bytes, got " + std::to_string(state.bytes) + ", expected " +
                std::to_string(needed.value_or(kLargestState)));
    plan.states.push_back(std::move(state));
  }

  /// Bytes of a slot or page in memory: conv [2][K-1][C], Mamba-1 in panels of
  /// channels, Mamba-2 [H][N][P], keys in panels of pairs for 16-bit types.
  static std::optional<int64_t> bytesOf(const PlanState &state) {
    int64_t factor = sizeOf(state.type);
    std::vector<int64_t> shape = state.shape;
    if (state.kind == StateKind::Conv)
      factor *= 2;
    if (state.kind == StateKind::Ssm1)
      shape.front() = roundUp(shape.front(), kScanPanel);
    if (state.isPaged())
      factor *= kPageTokens;
    if (state.kind == StateKind::Key && sizeOf(state.type) == 2)
      shape.back() = roundUp(shape.back(), 2);
    std::optional<int64_t> count = elementCount(shape);
    return count ? checkedMultiply(*count, factor) : std::nullopt;
  }

  void readBody(const JsonReader &json) {
    PlanBody body;
    body.name = json.field("name").string();
    forEach(json.field("states"), [&](const JsonReader &state) {
      body.states.push_back(index(state, plan.states.size()));
    });
    body.launches = readSection(json, &body);
    plan.bodies.push_back(std::move(body));
    weightsNeeded.push_back(std::exchange(mostWeights, 0));
  }

  void readLayer(const JsonReader &json) {
    PlanLayer layer;
    layer.number = json.field("number").integer(0, kMostLayers);
    layer.body = index(json.field("body"), plan.bodies.size());
    forEach(json.field("weights"), [&](const JsonReader &weight) {
      layer.weights.push_back(index(weight, plan.weights.size()));
    });
    if (layer.body < static_cast<int64_t>(weightsNeeded.size()) &&
        static_cast<int64_t>(layer.weights.size()) < weightsNeeded[layer.body])
      json.field("weights").fail("got " + std::to_string(layer.weights.size()) +
                                 " weights, expected " +
                                 std::to_string(weightsNeeded[layer.body]));
    plan.layers.push_back(std::move(layer));
  }

  /// Launches of a body, or of the program if `body` is null.
  PlanSection readSection(const JsonReader &json, const PlanBody *body) {
    PlanSection section;
    forEach(json.field("prefill"), [&](const JsonReader &launch) {
      section.prefill.push_back(readLaunch(launch, body));
    });
    forEach(json.field("step"), [&](const JsonReader &launch) {
      section.step.push_back(readLaunch(launch, body));
    });
    return section;
  }

  PlanLaunch readLaunch(const JsonReader &json, const PlanBody *body) {
    PlanLaunch launch;
    forEach(json.field("kernels"), [&](const JsonReader &entry) {
      PlanLaunch::Variant variant;
      variant.kernel = index(entry.field("kernel"), plan.kernels.size());
      variant.maxRows = entry.field("max_rows").integer(-1, kLargestSize);
      variant.grid = Expression::read(entry.field("grid"));
      launch.variants.push_back(std::move(variant));
    });
    if (launch.variants.empty())
      json.fail("expected at least one kernel");
    else if (launch.variants.back().maxRows != -1)
      json.fail("expected the last kernel to take any number of rows");
    forEach(json.field("args"), [&](const JsonReader &argument) {
      launch.arguments.push_back(readArgument(argument, body));
    });
    return launch;
  }

  PlanArgument readArgument(const JsonReader &json, const PlanBody *body) {
    using Kind = PlanArgument::Kind;
    PlanArgument argument;
    const std::string name = json.at(0).string();
    size_t size = 2;
    if (name == "buffer") {
      size = 3;
      argument.kind = Kind::Buffer;
      argument.index = index(json.at(1), plan.buffers.size());
      if (json.errorsOf().ok())
        argument.value =
            json.at(2).integer(0, plan.buffers[argument.index].columns - 1);
    } else if (name == "stride") {
      argument.kind = Kind::Stride;
      argument.index = index(json.at(1), plan.buffers.size());
    } else if (name == "weight" && body) {
      argument.kind = Kind::Weight;
      argument.index = index(json.at(1), plan.weights.size());
      mostWeights = std::max(mostWeights, argument.index + 1);
    } else if (name == "global_weight") {
      argument.kind = Kind::GlobalWeight;
      argument.index = index(json.at(1), plan.weights.size());
    } else if ((name == "state" || name == "state_stride") && body) {
      argument.kind = name == "state" ? Kind::State : Kind::StateStride;
      argument.index = index(json.at(1), body->states.size());
    } else if (name == "tokens" || name == "seqs") {
      size = 1;
      argument.kind = name == "tokens" ? Kind::Tokens : Kind::Seqs;
    } else if (name == "symbol") {
      argument.kind = Kind::Symbol;
      argument.symbol = readSymbol(json.at(1));
    } else if (name == "integer") {
      argument.kind = Kind::Integer;
      argument.value = json.at(1).integer();
    } else {
      json.fail("argument, got '" + name + "'");
    }
    if (json.size() != size)
      json.fail("got " + std::to_string(json.size()) + " elements, expected " +
                std::to_string(size));
    return argument;
  }

  void readTotals() {
    plan.vocab = root.field("vocab").integer(1, kMostVocab);
    plan.hidden = root.field("hidden").integer(1, kWidestRow);
    plan.logits = index(root.field("logits"), plan.buffers.size());
    plan.residual = index(root.field("hidden_buffer"), plan.buffers.size());
    if (root.has("prefill_chunk"))
      plan.prefillChunk = root.field("prefill_chunk").integer(1, kLargestChunk);
    for (int64_t token : root.field("end_tokens").integers(0, kMostVocab - 1))
      plan.endTokens.push_back(static_cast<int32_t>(token));
    if (!root.errorsOf().ok())
      return;
    checkBuffer(root.field("logits"), plan.buffers[plan.logits], plan.vocab);
    checkBuffer(root.field("hidden_buffer"), plan.buffers[plan.residual],
                plan.hidden);
    findHeadInput();
  }

  /// The head is the launch that writes the logits; by the kernel ABI its first
  /// argument is its input.
  void findHeadInput() {
    using Kind = PlanArgument::Kind;
    for (const PlanLaunch &launch : plan.after.prefill) {
      if (launch.arguments.empty() ||
          launch.arguments.front().kind != Kind::Buffer)
        continue;
      const int64_t input = launch.arguments.front().index;
      const bool writesLogits =
          std::any_of(launch.arguments.begin() + 1, launch.arguments.end(),
                      [&](const PlanArgument &argument) {
                        return argument.kind == Kind::Buffer &&
                               argument.index == plan.logits;
                      });
      if (writesLogits && plan.buffers[input].rows == RowCount::Outputs &&
          plan.buffers[input].columns == plan.hidden)
        plan.headInput = input;
    }
  }

  static void checkBuffer(const JsonReader &json, const PlanBuffer &buffer,
                          int64_t columns) {
    if (buffer.type != DType::F32 || buffer.columns < columns)
      json.fail("expected an f32 buffer of " + std::to_string(columns) +
                " columns");
  }

  const JsonReader root;
  Plan plan;
  /// Weights that a layer of each body must have.
  std::vector<int64_t> weightsNeeded;
  int64_t mostWeights = 0;
};

} // namespace

std::optional<GpuArch> GpuArch::parse(std::string_view name) {
  constexpr std::string_view kPrefix = "sm_";
  if (name.substr(0, kPrefix.size()) != kPrefix)
    return std::nullopt;
  name.remove_prefix(kPrefix.size());
  GpuArch arch;
  const auto parsed =
      std::from_chars(name.data(), name.data() + name.size(), arch.number);
  const std::string_view rest =
      name.substr(static_cast<size_t>(parsed.ptr - name.data()));
  arch.isExact = rest == "a";
  if (parsed.ec != std::errc() || arch.number < 1 ||
      !(rest.empty() || arch.isExact))
    return std::nullopt;
  return arch;
}

int64_t PlanLaunch::rowsOf(const SymbolValues &symbols) const {
  const bool isSymbol =
      !arguments.empty() && arguments.back().kind == PlanArgument::Kind::Symbol;
  return isSymbol ? symbols.of(arguments.back().symbol) : symbols.rows;
}

const PlanLaunch::Variant &PlanLaunch::variantFor(int64_t rows) const {
  const Variant *variant = &variants.front();
  while (variant->maxRows >= 0 && rows > variant->maxRows)
    ++variant;
  return *variant;
}

Expected<Plan> Plan::parse(std::string_view text, const std::string &place) {
  return guarded([&]() -> Expected<Plan> {
    Expected<Json> json = parseJson(text, place);
    if (!json)
      return json.status();
    JsonErrors errors;
    Plan plan = PlanReader(JsonReader(*json, errors, place)).read();
    if (!errors.ok())
      return errors.status();
    return plan;
  });
}

} // namespace ssmrt
