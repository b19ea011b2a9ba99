//===- CApiTest.cpp - Tests of the C interface ----------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ToyModel.h"
#include "runtime/ssmrt.h"

#include <gtest/gtest.h>

using namespace ssmrt;

TEST(CApi, reports_failures) {
  ssmrt_model *model = nullptr;
  EXPECT_EQ(ssmrt_model_open("/nonexistent", nullptr, &model), SSMRT_ERROR);
  EXPECT_EQ(std::string(ssmrt_error_message()),
            "/nonexistent: cannot open: No such file or directory");
  EXPECT_EQ(model, nullptr);
}

TEST(CApi, opens_sessions) {
  // The code of the toy model is not executable here, so nothing is launched.
  TemporaryFolder folder;
  writeToyWeights(folder);
  folder.write("toy.ssmx", toyArtifact());
  ssmrt_model_options options = {folder.path().c_str(), nullptr, 1, 1, nullptr};
  ssmrt_model *model = nullptr;
  ASSERT_EQ(ssmrt_model_open(folder.path("toy.ssmx").c_str(), &options, &model),
            SSMRT_OK)
      << ssmrt_error_message();
  EXPECT_EQ(std::string(ssmrt_model_name(model)), "toy");
  EXPECT_EQ(std::string(ssmrt_model_device(model)), "cpu");
  EXPECT_EQ(ssmrt_model_vocab(model), kToyVocab);
  EXPECT_TRUE(ssmrt_model_is_end_token(model, 10));
  EXPECT_FALSE(ssmrt_model_is_end_token(model, 9));
  size_t count = 0;
  EXPECT_EQ(ssmrt_model_encode(model, "a", 1, 0, nullptr, 0, &count),
            SSMRT_ERROR);

  ssmrt_session *session = nullptr;
  ASSERT_EQ(ssmrt_session_open(model, nullptr, &session), SSMRT_OK);
  EXPECT_EQ(ssmrt_session_position(session, 0), 0);
  EXPECT_EQ(ssmrt_session_position(session, 1), -1);
  EXPECT_EQ(ssmrt_session_logits(session, 0), nullptr);
  int32_t token = 0;
  EXPECT_EQ(ssmrt_session_sample(session, 0, nullptr, &token), SSMRT_ERROR);
  EXPECT_EQ(std::string(ssmrt_error_message()), "sequence 0: no logits yet");
  token = 11;
  EXPECT_EQ(ssmrt_session_prefill(session, 0, &token, 1), SSMRT_ERROR);
  ssmrt_session_close(session);
  ssmrt_model_close(model);
}
