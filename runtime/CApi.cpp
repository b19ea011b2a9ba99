//===- CApi.cpp - C interface ---------------------------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Guarded.h"
#include "runtime/Model.h"
#include "runtime/ModelTokenizer.h"
#include "runtime/Sampler.h"
#include "runtime/Session.h"
#include "runtime/ssmrt.h"

#include <algorithm>
#include <cstring>
#include <optional>

using namespace ssmrt;

struct ssmrt_model {
  std::shared_ptr<Model> model;
  std::string weights;
  std::optional<Tokenizer> tokenizer;
};

struct ssmrt_session {
  std::unique_ptr<Session> session;
};

namespace {

/// Keeps messages without allocating, so that running out of memory can be
/// reported too.
thread_local char lastMessage[1024] = "";

ssmrt_status fail(const std::string &message) {
  const size_t size = std::min(message.size(), sizeof(lastMessage) - 1);
  std::memcpy(lastMessage, message.data(), size);
  lastMessage[size] = '\0';
  return SSMRT_ERROR;
}

/// Runs `body`, which returns a Status, and keeps its message.
template <class Body> ssmrt_status report(Body body) {
  const Status status = guarded([&]() -> Status { return body(); });
  return status ? SSMRT_OK : fail(status.message);
}

Status needTokenizer(ssmrt_model &model) {
  if (model.tokenizer)
    return {};
  Expected<Tokenizer> tokenizer =
      openTokenizer(model.model->artifact(), model.weights);
  if (!tokenizer)
    return tokenizer.status();
  model.tokenizer.emplace(*std::move(tokenizer));
  return {};
}

} // namespace

const char *ssmrt_error_message(void) { return lastMessage; }

ssmrt_status ssmrt_model_open(const char *path,
                              const ssmrt_model_options *options,
                              ssmrt_model **model) {
  return report([&]() -> Status {
    ModelOptions modelOptions;
    if (options) {
      modelOptions.weights = options->weights ? options->weights : "";
      modelOptions.precision = options->precision ? options->precision : "auto";
      modelOptions.threads = options->threads;
      modelOptions.device = options->device ? options->device : "auto";
      modelOptions.useCache = !options->no_cache;
    }
    Expected<std::shared_ptr<Model>> opened = Model::open(path, modelOptions);
    if (!opened)
      return opened.status();
    *model = new ssmrt_model{*std::move(opened), modelOptions.weights, {}};
    return {};
  });
}

void ssmrt_model_close(ssmrt_model *model) { delete model; }

const char *ssmrt_model_name(const ssmrt_model *model) {
  return model->model->artifact().modelName().c_str();
}

const char *ssmrt_model_image(const ssmrt_model *model) {
  return model->model->image().target.c_str();
}

const char *ssmrt_model_device(const ssmrt_model *model) {
  return model->model->device().kind().data();
}

const char *ssmrt_model_precision(const ssmrt_model *model) {
  return model->model->image().precision.c_str();
}

int64_t ssmrt_model_vocab(const ssmrt_model *model) {
  return model->model->plan().vocab;
}

int ssmrt_model_is_end_token(const ssmrt_model *model, int32_t token) {
  const std::vector<int32_t> &ends = model->model->plan().endTokens;
  return std::find(ends.begin(), ends.end(), token) != ends.end();
}

ssmrt_status ssmrt_model_encode(ssmrt_model *model, const char *text,
                                size_t bytes, int add_special, int32_t *tokens,
                                size_t capacity, size_t *count) {
  return report([&]() -> Status {
    if (Status status = needTokenizer(*model); !status)
      return status;
    Expected<std::vector<int32_t>> ids =
        model->tokenizer->encode({text, bytes}, add_special != 0);
    if (!ids)
      return ids.status();
    *count = ids->size();
    std::copy_n(ids->data(), std::min(capacity, ids->size()), tokens);
    return {};
  });
}

ssmrt_status ssmrt_model_decode(ssmrt_model *model, const int32_t *tokens,
                                size_t count, char *text, size_t capacity,
                                size_t *bytes) {
  return report([&]() -> Status {
    if (Status status = needTokenizer(*model); !status)
      return status;
    const std::string decoded =
        model->tokenizer->decode({tokens, tokens + count}, true);
    *bytes = decoded.size();
    std::copy_n(decoded.data(), std::min(capacity, decoded.size()), text);
    return {};
  });
}

ssmrt_status ssmrt_session_open(ssmrt_model *model,
                                const ssmrt_session_options *options,
                                ssmrt_session **session) {
  return report([&]() -> Status {
    SessionOptions sessionOptions;
    if (options) {
      sessionOptions.sequences = options->sequences;
      sessionOptions.context = options->context;
      sessionOptions.prefillChunk = options->prefill_chunk;
    }
    Expected<std::unique_ptr<Session>> opened =
        Session::create(model->model, sessionOptions);
    if (!opened)
      return opened.status();
    *session = new ssmrt_session{*std::move(opened)};
    return {};
  });
}

void ssmrt_session_close(ssmrt_session *session) { delete session; }

ssmrt_status ssmrt_session_reset(ssmrt_session *session, int64_t sequence) {
  return report([&] { return session->session->reset(sequence); });
}

int64_t ssmrt_session_position(const ssmrt_session *session, int64_t sequence) {
  const bool exists = sequence >= 0 && sequence < session->session->sequences();
  return exists ? session->session->position(sequence) : -1;
}

ssmrt_status ssmrt_session_prefill(ssmrt_session *session, int64_t sequence,
                                   const int32_t *tokens, size_t count) {
  return report([&] {
    const SequenceTokens input{sequence, {tokens, count}};
    return session->session->prefill({&input, 1}, LogitsMode::Last);
  });
}

ssmrt_status ssmrt_session_step(ssmrt_session *session,
                                const int64_t *sequences, const int32_t *tokens,
                                size_t count) {
  return report([&] {
    std::vector<SequenceTokens> input;
    for (size_t i = 0; i < count; ++i)
      input.push_back({sequences[i], {tokens + i, 1}});
    return session->session->step(input, LogitsMode::Last);
  });
}

const float *ssmrt_session_logits(const ssmrt_session *session,
                                  int64_t sequence) {
  return session->session->lastLogits(sequence);
}

ssmrt_status ssmrt_session_sample(const ssmrt_session *session,
                                  int64_t sequence,
                                  const ssmrt_sampling *sampling,
                                  int32_t *token) {
  return report([&]() -> Status {
    const float *logits = session->session->lastLogits(sequence);
    if (!logits)
      return error("sequence " + std::to_string(sequence) + ": no logits yet");
    SamplingParams params;
    if (sampling)
      params = {sampling->temperature, sampling->top_k, sampling->top_p,
                sampling->seed};
    *token = sample(logits, session->session->model().plan().vocab, params,
                    sequence, session->session->position(sequence));
    if (*token < 0)
      return error("no logit is a number");
    return {};
  });
}

ssmrt_status ssmrt_session_save(const ssmrt_session *session, const char *path,
                                const int32_t *next_tokens) {
  return report([&] {
    std::vector<int32_t> next;
    if (next_tokens)
      next.assign(next_tokens, next_tokens + session->session->sequences());
    return session->session->saveState(path, next);
  });
}

ssmrt_status ssmrt_session_load(ssmrt_session *session, const char *path,
                                int32_t *next_tokens) {
  return report([&]() -> Status {
    std::vector<int32_t> next;
    if (Status status = session->session->loadState(path, next); !status)
      return status;
    if (next_tokens)
      std::copy(next.begin(), next.end(), next_tokens);
    return {};
  });
}
