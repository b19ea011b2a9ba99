/*===- ssmrt.h - C interface of the ssmc runtime --------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs compiled models (.ssmx). Nothing here prints or exits. A function that
// can fail returns SSMRT_OK or SSMRT_ERROR; the message of a thread's last
// failure is ssmrt_error_message().
//
// Threads: a model and its sessions belong together and may be used by one
// thread at a time; different models are independent. Calls block until done;
// the model's own threads help.
//
//===----------------------------------------------------------------------===*/

#ifndef SSMRT_H
#define SSMRT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { SSMRT_OK = 0, SSMRT_ERROR = 1 } ssmrt_status;

/* A compiled model with its weights. */
typedef struct ssmrt_model ssmrt_model;
/* A batch of sequences of a model. */
typedef struct ssmrt_session ssmrt_session;

/* One line about this thread's last failure; valid until its next one. */
const char *ssmrt_error_message(void);

typedef struct {
  const char *weights;   /* folder or "random:SEED"; null: embedded ones */
  const char *precision; /* "f32", "bf16"; null: the artifact's first choice */
  int threads;           /* 0: as many as this process may use */
  int no_cache;          /* do not keep packed weights in the cache folder */
  const char *device;    /* "cpu", "cuda", "ptx"; null or "auto": a GPU if there
                            is one that can run the model, else the CPU */
} ssmrt_model_options;

/* Opens an artifact and loads its weights. `options` may be null. The caller
   owns *model and closes it after all its sessions. Reads files. */
ssmrt_status ssmrt_model_open(const char *path,
                              const ssmrt_model_options *options,
                              ssmrt_model **model);
void ssmrt_model_close(ssmrt_model *model);

/* Texts belong to the model. */
const char *ssmrt_model_name(const ssmrt_model *model);
const char *ssmrt_model_image(const ssmrt_model *model);
const char *ssmrt_model_device(const ssmrt_model *model);
const char *ssmrt_model_precision(const ssmrt_model *model);
int64_t ssmrt_model_vocab(const ssmrt_model *model);
int ssmrt_model_is_end_token(const ssmrt_model *model, int32_t token);

/* Text to tokens, with the special tokens around a text if `add_special`.
   Writes at most `capacity` tokens and always the full number to *count. Fails
   if the model has no tokenizer. The first use reads it. */
ssmrt_status ssmrt_model_encode(ssmrt_model *model, const char *text,
                                size_t bytes, int add_special, int32_t *tokens,
                                size_t capacity, size_t *count);

/* Tokens to UTF-8 text without special tokens. Writes at most `capacity` bytes,
   with no zero at the end, and always the full number to *bytes. */
ssmrt_status ssmrt_model_decode(ssmrt_model *model, const int32_t *tokens,
                                size_t count, char *text, size_t capacity,
                                size_t *bytes);

typedef struct {
  int64_t sequences;     /* in the batch */
  int64_t context;       /* tokens that each may hold, for attention */
  int64_t prefill_chunk; /* most tokens of one pass; 0: the plan's choice */
} ssmrt_session_options;

/* Makes a session of empty sequences. `options` may be null: one sequence of
   4096 tokens. The caller owns *session. */
ssmrt_status ssmrt_session_open(ssmrt_model *model,
                                const ssmrt_session_options *options,
                                ssmrt_session **session);
void ssmrt_session_close(ssmrt_session *session);

/* Empties a sequence. */
ssmrt_status ssmrt_session_reset(ssmrt_session *session, int64_t sequence);

/* Tokens that a sequence has seen; -1 if there is no such sequence. */
int64_t ssmrt_session_position(const ssmrt_session *session, int64_t sequence);

/* Lets one sequence consume tokens; the logits after the last are kept. */
ssmrt_status ssmrt_session_prefill(ssmrt_session *session, int64_t sequence,
                                   const int32_t *tokens, size_t count);

/* Lets `count` different sequences consume one token each; keeps logits. */
ssmrt_status ssmrt_session_step(ssmrt_session *session,
                                const int64_t *sequences, const int32_t *tokens,
                                size_t count);

/* Logits [vocab] after the last token of a sequence; null if it has consumed
   none. They belong to the session and change when the sequence consumes. */
const float *ssmrt_session_logits(const ssmrt_session *session,
                                  int64_t sequence);

typedef struct {
  float temperature; /* 0: the largest logit */
  int top_k;         /* 0: all */
  float top_p;       /* 1: all */
  uint64_t seed;
} ssmrt_sampling;

/* Draws the next token of a sequence from its logits, without consuming it. The
   draw depends on the logits, `sampling` (null: greedy), sequence and position
   alone. */
ssmrt_status ssmrt_session_sample(const ssmrt_session *session,
                                  int64_t sequence,
                                  const ssmrt_sampling *sampling,
                                  int32_t *token);

/* Saves and restores all sequences. `next_tokens` [sequences] are the tokens to
   be consumed next, -1 for none; null when saving: none. */
ssmrt_status ssmrt_session_save(const ssmrt_session *session, const char *path,
                                const int32_t *next_tokens);
ssmrt_status ssmrt_session_load(ssmrt_session *session, const char *path,
                                int32_t *next_tokens);

#ifdef __cplusplus
}
#endif

#endif /* SSMRT_H */
