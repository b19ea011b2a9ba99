//===- ExploreScript.cpp - Shorthand flags to a transform script ----------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/ssmc/Explore.h"

#include "dialect/Pattern.h"
#include "passes/placement/Rewrites.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

using namespace ssm;

template <typename... Args>
static llvm::Error error(const char *format, Args &&...args) {
  return llvm::createStringError(
      llvm::formatv(format, std::forward<Args>(args)...).str());
}

llvm::Expected<double> ssm::parseAmount(llvm::StringRef text) {
  llvm::StringRef number = text;
  double factor = 1;
  if (number.size() > 1 && (number.ends_with_insensitive("gb") ||
                            number.ends_with_insensitive("mb") ||
                            number.ends_with_insensitive("tb")))
    number = number.drop_back();
  if (!number.empty()) {
    switch (llvm::toLower(number.back())) {
    case 'k':
      factor = 1e3;
      break;
    case 'm':
      factor = 1e6;
      break;
    case 'b':
    case 'g':
      factor = 1e9;
      break;
    case 't':
      factor = 1e12;
      break;
    }
    if (factor != 1)
      number = number.drop_back();
  }
  double value;
  if (number.getAsDouble(value) || !(value > 0) || !(value * factor < 1e18))
    return error("got '{0}', expected an amount such as 8b, 350m or 80gb",
                 text);
  return value * factor;
}

/// Appends what `item` of a list of integers means: "4", "1..8" or "0..56:8".
static llvm::Error addRange(llvm::StringRef flag, llvm::StringRef item,
                            std::vector<std::string> &values) {
  constexpr int64_t kMost = 1 << 30;
  auto [range, stepText] = item.split(':');
  auto [firstText, lastText] = range.split("..");
  int64_t first, last, step = 1;
  if (lastText.empty())
    lastText = firstText;
  if (firstText.getAsInteger(10, first) || lastText.getAsInteger(10, last) ||
      (!stepText.empty() && stepText.getAsInteger(10, step)) || first < 0 ||
      last < first || last > kMost || step < 1 ||
      (last - first) / step > 100000)
    return error("{0}: got '{1}', expected a number, FIRST..LAST or "
                 "FIRST..LAST:STEP",
                 flag, item);
  for (int64_t value = first; value <= last; value += step)
    values.push_back(std::to_string(value));
  return llvm::Error::success();
}

namespace {
/// How the items of a flag become attributes.
enum class ListKind { Integer, IntegerOrOff, Real, Rope, Text };

/// Writes the script, flag by flag.
class ScriptWriter {
public:
  /// A knob named `name` of the values in `list`, or the value itself if it is
  /// the only one; what an operation takes in parentheses.
  llvm::Expected<std::string> setting(llvm::StringRef flag,
                                      llvm::StringRef name,
                                      llvm::StringRef list, ListKind kind);
  /// The same, applied by transform.ssm.`operation`.
  llvm::Error set(llvm::StringRef flag, llvm::StringRef name,
                  llvm::StringRef operation, llvm::StringRef list,
                  ListKind kind);
  void line(const llvm::Twine &text) { lines += ("    " + text + "\n").str(); }
  std::string finish() const;

private:
  std::string knobs, lines;
};
} // namespace

/// One item as an attribute.
static llvm::Expected<std::string>
attributeText(llvm::StringRef flag, llvm::StringRef item, ListKind kind) {
  double value;
  if (kind == ListKind::Text)
    return ("\"" + item + "\"").str();
  if ((kind == ListKind::Rope || kind == ListKind::IntegerOrOff) &&
      (item == "off" || item == "none"))
    return std::string("\"none\"");
  if (kind == ListKind::Rope && item == "on")
    return std::string("10000");
  if (item.getAsDouble(value) || !(value > 0) || !(value < 1e12))
    return error("{0}: got '{1}', expected {2}", flag, item,
                 kind == ListKind::Rope ? "on, off or a theta"
                                        : "a positive number");
  if (kind == ListKind::Rope && value == double(int64_t(value)))
    return std::to_string(int64_t(value));
  return llvm::formatv("{0:e6}", value).str();
}

llvm::Expected<std::string> ScriptWriter::setting(llvm::StringRef flag,
                                                  llvm::StringRef name,
                                                  llvm::StringRef list,
                                                  ListKind kind) {
  llvm::SmallVector<llvm::StringRef> items;
  list.split(items, ',');
  std::vector<std::string> values;
  for (llvm::StringRef item : items) {
    item = item.trim();
    bool isWord = item == "off" || item == "none";
    if (kind == ListKind::Integer ||
        (kind == ListKind::IntegerOrOff && !isWord)) {
      if (llvm::Error failure = addRange(flag, item, values))
        return failure;
      continue;
    }
    llvm::Expected<std::string> value = attributeText(flag, item, kind);
    if (!value)
      return value.takeError();
    values.push_back(*value);
  }
  if (values.size() == 1)
    return values.front();
  knobs += llvm::formatv("    %{0} = transform.tune.knob<\"{0}\"> options = "
                         "[{1}] -> !transform.any_param\n",
                         name, llvm::join(values, ", "));
  return ("%" + name).str();
}

llvm::Error ScriptWriter::set(llvm::StringRef flag, llvm::StringRef name,
                              llvm::StringRef operation, llvm::StringRef list,
                              ListKind kind) {
  if (list.empty())
    return llvm::Error::success();
  llvm::Expected<std::string> value = setting(flag, name, list, kind);
  if (!value)
    return value.takeError();
  line(llvm::formatv("transform.ssm.{0} %root({1}) if_present : "
                     "!transform.any_op",
                     operation, *value)
           .str());
  return llvm::Error::success();
}

std::string ScriptWriter::finish() const {
  return "module attributes {transform.with_named_sequence} {\n"
         "  transform.named_sequence @__transform_main(%root: "
         "!transform.any_op {transform.readonly}) {\n" +
         knobs + lines + "    transform.yield\n  }\n}\n";
}

/// `new [...]` for the kinds of layers that `model` lacks.
static std::string newKinds(ModelOp model) {
  std::string pattern = patternOf(model);
  std::vector<std::string> mixers;
  for (char letter : {'M', '*', '-'})
    if (pattern.find(letter) == std::string::npos) {
      std::string text;
      llvm::raw_string_ostream(text)
          << defaultMixer(letter, model.getHidden(), model.getContext());
      mixers.push_back(text);
    }
  return mixers.empty() ? "" : "new [" + llvm::join(mixers, ", ") + "] ";
}

/// place or spread, if the flags ask for them.
static llvm::Error writePlacement(const ExploreOptions &options, ModelOp model,
                                  ScriptWriter &script) {
  bool spreads = !options.attention.empty() || !options.mlp.empty() ||
                 !options.layers.empty();
  if (!options.patterns.empty()) {
    if (spreads)
      return error("--pattern excludes --attention, --mlp and --layers");
    auto pattern = script.setting("--pattern", "pattern", options.patterns,
                                  ListKind::Text);
    if (!pattern)
      return pattern.takeError();
    script.line("transform.ssm.place %root(" + *pattern + ") " +
                newKinds(model) + ": !transform.any_op");
  }
  if (!spreads)
    return llvm::Error::success();
  std::string letters = patternOf(model);
  auto count = [&](char letter) {
    return std::to_string(llvm::count(letters, letter));
  };
  auto attention =
      script.setting("--attention", "attention",
                     options.attention.empty() ? count('*') : options.attention,
                     ListKind::Integer);
  if (!attention)
    return attention.takeError();
  auto mlp = script.setting("--mlp", "mlp",
                            options.mlp.empty() ? count('-') : options.mlp,
                            ListKind::Integer);
  if (!mlp)
    return mlp.takeError();
  std::string layers;
  if (!options.layers.empty()) {
    auto setting =
        script.setting("--layers", "layers", options.layers, ListKind::Integer);
    if (!setting)
      return setting.takeError();
    layers = "layers(" + *setting + ") ";
  }
  script.line("transform.ssm.spread %root attention(" + *attention + ") mlp(" +
              *mlp + ") " + layers + newKinds(model) + ": !transform.any_op");
  return llvm::Error::success();
}

llvm::Expected<std::string> ssm::writeScript(const ExploreOptions &options,
                                             ModelOp model) {
  ScriptWriter script;
  if (llvm::Error failure = writePlacement(options, model, script))
    return failure;
  struct Row {
    const char *flag, *name, *operation;
    const std::string &list;
    ListKind kind;
  };
  const Row rows[] = {
      {"--kv-heads", "kv_heads", "set_kv_heads", options.kvHeads,
       ListKind::Integer},
      {"--rope", "rope", "set_rope", options.rope, ListKind::Rope},
      {"--window", "window", "set_window", options.window,
       ListKind::IntegerOrOff},
      {"--mlp-ratio", "mlp_ratio", "set_mlp_ratio", options.mlpRatio,
       ListKind::Real},
      {"--activation", "activation", "set_activation", options.activation,
       ListKind::Text},
      {"--head-dim", "head_dim", "set_head_dim", options.headDim,
       ListKind::Integer},
      {"--groups", "groups", "set_groups", options.groups, ListKind::Integer},
      {"--state", "state", "set_state", options.state, ListKind::Integer},
  };
  for (const Row &row : rows)
    if (llvm::Error failure =
            script.set(row.flag, row.name, row.operation, row.list, row.kind))
      return failure;
  if (!options.budget.empty()) {
    llvm::StringRef amount = options.budget;
    if (!amount.consume_front("params="))
      return error("--budget: got '{0}', expected params=AMOUNT",
                   options.budget);
    auto parameters = parseAmount(amount);
    if (!parameters)
      return error("--budget: {0}", llvm::toString(parameters.takeError()));
    // Last: widths are multiples of what the other rewrites set.
    script.line("transform.ssm.fit_parameters %root(" +
                std::to_string(int64_t(*parameters)) + ") : !transform.any_op");
  }
  return script.finish();
}
