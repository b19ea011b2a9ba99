/* Generates 32 tokens after the tokens 1, 2, 3, with the C interface alone:

     cc generate.c $(pkg-config --cflags --libs ssmrt) -o generate
     ./generate model.ssmx DIR */

#include "runtime/ssmrt.h"

#include <stdio.h>

#define CHECK(call)                                                            \
  if ((call) != SSMRT_OK)                                                      \
  return fprintf(stderr, "error: %s\n", ssmrt_error_message()), 1

int main(int argc, char **argv) {
  ssmrt_model_options options = {argc > 2 ? argv[2] : NULL, NULL, 0, 0, NULL};
  const int32_t prompt[] = {1, 2, 3};
  const int64_t sequence = 0;
  ssmrt_model *model;
  ssmrt_session *session;
  int32_t token;
  if (argc < 2)
    return fprintf(stderr, "usage: generate model.ssmx [WEIGHTS]\n"), 2;
  CHECK(ssmrt_model_open(argv[1], &options, &model));
  CHECK(ssmrt_session_open(model, NULL, &session));
  CHECK(ssmrt_session_prefill(session, sequence, prompt, 3));
  for (int i = 0; i < 32; ++i) {
    CHECK(ssmrt_session_sample(session, sequence, NULL, &token));
    printf("%d\n", (int)token);
    CHECK(ssmrt_session_step(session, &sequence, &token, 1));
  }
  ssmrt_session_close(session);
  ssmrt_model_close(model);
  return 0;
}
