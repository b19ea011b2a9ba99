//===- Config.cpp - Typed reading of configuration keys -------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontends/Config.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FormatVariadic.h"
#include <nlohmann/json.hpp>

#include <cmath>

using namespace mlir;
using namespace ssm;

static constexpr int64_t kMaxSize = 1 << 20;
static constexpr int64_t kMaxVocabulary = 1 << 24;
static constexpr int64_t kMaxCount = 1024;

/// Training, generation and bookkeeping: no influence on the mathematics of
/// any family.
static constexpr StringLiteral kHarmlessKeys[] = {"_name_or_path",
                                                  "architectures",
                                                  "auto_map",
                                                  "transformers_version",
                                                  "use_cache",
                                                  "initializer_range",
                                                  "attention_dropout",
                                                  "hidden_dropout",
                                                  "output_router_logits",
                                                  "router_aux_loss_coef",
                                                  "z_loss_coefficient",
                                                  "output_attentions",
                                                  "output_hidden_states",
                                                  "return_dict",
                                                  "num_logits_to_keep",
                                                  "bos_token_id",
                                                  "pad_token_id",
                                                  "max_position_embeddings",
                                                  "chunk_size",
                                                  "mamba_chunk_size",
                                                  "use_mamba_kernels",
                                                  "use_mambapy",
                                                  "use_falcon_mambapy",
                                                  "use_associative_scan",
                                                  "use_mem_eff_path",
                                                  "is_decoder",
                                                  "rescale_prenorm_residual",
                                                  "time_step_max",
                                                  "time_step_floor",
                                                  "time_step_scale",
                                                  "time_step_init_scheme",
                                                  "fused_add_norm"};

/// What earlier transformers wrote beside these when all of a configuration
/// was saved: generation, classification heads, other libraries.
static constexpr StringLiteral kHarmlessOlderKeys[] = {
    "torchscript",
    "use_bfloat16",
    "tf_legacy_loss",
    "tie_encoder_decoder",
    "chunk_size_feed_forward",
    "cross_attention_hidden_size",
    "max_length",
    "min_length",
    "do_sample",
    "early_stopping",
    "num_beams",
    "num_beam_groups",
    "diversity_penalty",
    "temperature",
    "top_k",
    "top_p",
    "typical_p",
    "repetition_penalty",
    "length_penalty",
    "no_repeat_ngram_size",
    "encoder_no_repeat_ngram_size",
    "bad_words_ids",
    "num_return_sequences",
    "output_scores",
    "return_dict_in_generate",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "remove_invalid_values",
    "exponential_decay_length_penalty",
    "suppress_tokens",
    "begin_suppress_tokens",
    "finetuning_task",
    "id2label",
    "label2id",
    "tokenizer_class",
    "prefix",
    "sep_token_id",
    "decoder_start_token_id",
    "task_specific_params",
    "problem_type",
    "_attn_implementation_autoset",
    "is_llama_config",
    "transformers.js_config",
    "unsloth_fixed",
    "unsloth_version"};

static const Json &emptyObject() {
  static const Json empty = Json::object();
  return empty;
}

Config::Config(std::string file, const Json &object, MLIRContext &context,
               ImportReport &report)
    : file(std::move(file)), json(&object), context(context), report(report) {
  if (object.is_object())
    return;
  error() << "expected an object, got " << printJson(object);
  json = &emptyObject();
}

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

InFlightDiagnostic Config::error() {
  *failedFlag = true;
  InFlightDiagnostic diag = emitError(UnknownLoc::get(&context));
  diag << file << ": ";
  return diag;
}

void Config::note(const Twine &sentence) {
  report.notes.push_back(sentence.str());
}

void Config::missing(const Keys &keys, const Twine &expected) {
  error() << "missing \"" << llvm::join(keys.names, "\" or \"")
          << "\" (expected " << expected << ")";
}

void Config::refuse(const Found &found, const Twine &supported) {
  error() << "unsupported \"" << found.key << "\": " << printJson(*found.value)
          << " (supported: " << supported << ")";
}

void Config::unsupported(StringRef key, const Twine &supported) {
  auto value = json->find(key.str());
  refuse({key, value == json->end() ? &emptyObject() : &*value}, supported);
}

std::string Config::take(StringRef key, llvm::Expected<std::string> letters) {
  if (letters)
    return *letters;
  auto value = json->find(key.str());
  error() << "\"" << key << "\": "
          << (value == json->end() ? std::string("absent") : printJson(*value))
          << ": " << llvm::toString(letters.takeError());
  return "";
}

//===----------------------------------------------------------------------===//
// Finding values
//===----------------------------------------------------------------------===//

bool Config::mentions(StringRef key) const { return json->contains(key.str()); }

bool Config::has(const Keys &keys) const {
  return llvm::any_of(keys.names, [&](StringRef key) {
    auto value = json->find(key.str());
    return value != json->end() && !value->is_null();
  });
}

Config::Found Config::find(const Keys &keys) {
  Found found;
  for (StringRef key : keys.names) {
    auto value = json->find(key.str());
    if (value == json->end())
      continue;
    bool isFirstRead = readKeys.insert(key).second;
    if (value->is_null())
      continue;
    if (!found)
      found = {key, &*value};
    else if (*found.value != *value && isFirstRead)
      error() << "\"" << found.key << "\": " << printJson(*found.value)
              << " contradicts \"" << key << "\": " << printJson(*value);
  }
  return found;
}

//===----------------------------------------------------------------------===//
// Scalars
//===----------------------------------------------------------------------===//

int64_t Config::integer(const Keys &keys, int64_t low, int64_t high,
                        std::optional<int64_t> fallback) {
  std::string expected =
      llvm::formatv("an integer from {0} to {1}", low, high).str();
  Found found = find(keys);
  if (!found) {
    if (!fallback)
      missing(keys, expected);
    return fallback.value_or(low);
  }
  // Unsigned values above 2^63 would turn negative.
  const Json &value = *found.value;
  if (value.is_number_integer() &&
      (!value.is_number_unsigned() || value.get<uint64_t>() <= INT64_MAX) &&
      value.get<int64_t>() >= low && value.get<int64_t>() <= high)
    return value.get<int64_t>();
  refuse(found, expected);
  return fallback.value_or(low);
}

int64_t Config::size(const Keys &keys, std::optional<int64_t> fallback) {
  return integer(keys, 1, kMaxSize, fallback);
}

int64_t Config::vocabulary(const Keys &keys, std::optional<int64_t> fallback) {
  return integer(keys, 1, kMaxVocabulary, fallback);
}

int64_t Config::count(const Keys &keys, std::optional<int64_t> fallback) {
  return integer(keys, 1, kMaxCount, fallback);
}

std::optional<int64_t> Config::optionalSize(const Keys &keys) {
  if (!has(keys)) {
    find(keys);
    return std::nullopt;
  }
  return size(keys);
}

int64_t Config::sizeOrAuto(const Keys &keys, int64_t automatic) {
  Found found = find(keys);
  if (!found || *found.value == Json("auto"))
    return automatic;
  return size(keys);
}

int64_t Config::scaledSize(StringRef key, double factor, int64_t width) {
  double size = factor * double(width);
  if (size >= 1 && size <= double(kMaxSize))
    return int64_t(size);
  error() << "\"" << key << "\": " << factor << " times " << width
          << " is no size (supported: 1 to " << kMaxSize << ")";
  return 1;
}

double Config::number(const Keys &keys, std::optional<double> fallback) {
  Found found = find(keys);
  if (!found) {
    if (!fallback)
      missing(keys, "a number");
    return fallback.value_or(1);
  }
  std::optional<double> value = numberOf(*found.value);
  if (value && std::isfinite(*value))
    return *value;
  refuse(found, "a finite number");
  return fallback.value_or(1);
}

std::optional<Real> Config::optionalNumber(const Keys &keys) {
  if (has(keys))
    return Real(number(keys));
  find(keys);
  return std::nullopt;
}

bool Config::flag(const Keys &keys, bool fallback) {
  Found found = find(keys);
  if (!found)
    return fallback;
  if (found.value->is_boolean())
    return found.value->get<bool>();
  refuse(found, "true, false");
  return fallback;
}

std::string Config::word(const Keys &keys, StringRef fallback) {
  Found found = find(keys);
  if (!found)
    return fallback.str();
  if (found.value->is_string())
    return found.value->get<std::string>();
  refuse(found, "a string");
  return fallback.str();
}

Activation Config::activation(const Keys &keys, Activation fallback) {
  Found found = find(keys);
  if (!found)
    return fallback;
  std::string name =
      found.value->is_string() ? found.value->get<std::string>() : "";
  std::optional<Activation> activation =
      llvm::StringSwitch<std::optional<Activation>>(name)
          .Cases({"silu", "swish"}, Activation::Silu)
          .Case("gelu", Activation::Gelu)
          .Cases({"gelu_new", "gelu_pytorch_tanh"}, Activation::GeluTanh)
          .Case("relu2", Activation::Relu2)
          .Default(std::nullopt);
  if (!activation)
    refuse(found, "silu, swish, gelu, gelu_new, gelu_pytorch_tanh, relu2");
  return activation.value_or(fallback);
}

//===----------------------------------------------------------------------===//
// Lists and objects
//===----------------------------------------------------------------------===//

std::vector<double> Config::numbers(const Keys &keys, size_t length,
                                    std::vector<double> fallback) {
  Found found = find(keys);
  if (!found)
    return fallback;
  std::vector<double> values;
  if (found.value->is_array())
    for (const Json &element : *found.value)
      if (std::optional<double> value = numberOf(element))
        if (!std::isnan(*value))
          values.push_back(*value);
  if (values.size() == length && found.value->size() == length)
    return values;
  refuse(found, llvm::formatv("a list of {0} numbers", length).str());
  return fallback;
}

std::vector<int64_t> Config::integers(const Keys &keys, bool scalar) {
  Found found = find(keys);
  if (!found)
    return {};
  Json list = *found.value;
  if (scalar && list.is_number_integer())
    list = Json::array({list});
  std::vector<int64_t> values;
  if (list.is_array())
    for (const Json &element : list)
      if (element.is_number_integer() && (!element.is_number_unsigned() ||
                                          element.get<uint64_t>() <= INT64_MAX))
        values.push_back(element.get<int64_t>());
  if (list.is_array() && values.size() == list.size())
    return values;
  refuse(found,
         scalar ? "an integer or a list of integers" : "a list of integers");
  return {};
}

std::vector<std::string> Config::words(const Keys &keys) {
  Found found = find(keys);
  if (!found)
    return {};
  std::vector<std::string> values;
  if (found.value->is_array())
    for (const Json &element : *found.value)
      if (element.is_string())
        values.push_back(element.get<std::string>());
  if (found.value->is_array() && values.size() == found.value->size())
    return values;
  refuse(found, "a list of strings");
  return {};
}

Config Config::object(const Keys &keys) {
  Found found = find(keys);
  if (found && !found.value->is_object()) {
    refuse(found, "an object");
    found = {};
  }
  Config child(file, found ? *found.value : emptyObject(), context, report);
  child.failedFlag = failedFlag;
  child.path = path + (found ? found.key : keys.names.front()).str() + ".";
  return child;
}

//===----------------------------------------------------------------------===//
// Values that must be what they are
//===----------------------------------------------------------------------===//

void Config::requireFlag(const Keys &keys, bool value) {
  Found found = find(keys);
  if (found && *found.value != Json(value))
    refuse(found, value ? "true" : "false");
}

void Config::requireNumber(const Keys &keys, double value) {
  Found found = find(keys);
  if (found && numberOf(*found.value) != value)
    refuse(found, llvm::formatv("{0}", value).str());
}

void Config::requireWord(const Keys &keys, ArrayRef<StringRef> values) {
  Found found = find(keys);
  if (!found || (found.value->is_string() &&
                 llvm::is_contained(values, found.value->get<std::string>())))
    return;
  refuse(found, llvm::join(values, ", "));
}

void Config::requireNothing(const Keys &keys, StringRef reason) {
  Found found = find(keys);
  if (!found || found.value->empty() || *found.value == Json(false) ||
      *found.value == Json(0) || *found.value == Json(""))
    return;
  refuse(found, "none: " + reason);
}

void Config::requireEqual(const Keys &keys, int64_t actual, StringRef origin) {
  Found found = find(keys);
  if (found && *found.value != Json(actual))
    error() << "\"" << found.key << "\": " << printJson(*found.value)
            << " contradicts " << origin << " = " << actual;
}

//===----------------------------------------------------------------------===//
// Leftovers
//===----------------------------------------------------------------------===//

void Config::ignore(ArrayRef<StringRef> keys) {
  for (StringRef key : keys) {
    auto value = json->find(key.str());
    if (value != json->end() && readKeys.insert(key).second)
      report.ignoredKeys.push_back({path + key.str(), printJson(*value)});
  }
}

void Config::ignorePrefix(StringRef prefix) {
  for (const auto &[key, value] : json->items())
    if (StringRef(key).starts_with(prefix))
      ignore(StringRef(key));
}

void Config::finish() {
  for (StringRef key : kHarmlessKeys)
    ignore(key);
  for (StringRef key : kHarmlessOlderKeys)
    ignore(key);
  std::vector<std::string> unknown;
  for (const auto &[key, value] : json->items())
    if (!readKeys.contains(key))
      unknown.push_back("\"" + path + key + "\": " + printJson(value));
  if (!unknown.empty())
    error() << (unknown.size() == 1 ? "unknown key " : "unknown keys ")
            << llvm::join(unknown, ", ");
}
