//===- RunnerTest.cpp - ssmc-run on every device --------------------------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ToyPtx.h"

#include <cstdio>
#include <gtest/gtest.h>
#include <sys/wait.h>

using namespace ssmrt;
using nlohmann::json;

namespace {

class RunnerTest : public ::testing::Test {
protected:
  void SetUp() override {
    setenv("SSMC_CUDA_DRIVER", SSMC_FAKE_CUDA_LIBRARY, 1);
    unsetenv("SSMC_FAKE_CUDA");
    writeToyWeights(folder);
    folder.write("toy.ssmx", toyArtifactBytes({toyGpuImage()}));
  }

  /// What the program prints with `flags`, errors included.
  std::string run(const std::string &flags, int expectedStatus = 0,
                  const std::string &program = SSMC_RUN) {
    const std::string command = program + " " + folder.path("toy.ssmx") +
                                " --weights " + folder.path() + " --no-cache " +
                                flags + " 2>&1";
    FILE *pipe = popen(command.c_str(), "r");
    std::string text;
    for (int c; (c = std::fgetc(pipe)) != EOF;)
      text += static_cast<char>(c);
    EXPECT_EQ(WEXITSTATUS(pclose(pipe)), expectedStatus) << text;
    return text;
  }

  json runJson(const std::string &flags) {
    return json::parse(run(flags + " --json"), nullptr, false);
  }

  TemporaryFolder folder;
};

} // namespace

TEST_F(RunnerTest, says_where_it_ran) {
  const std::string tokens = "--tokens 1,2,3 -n 6 --ignore-eos";
  const json onPtx = runJson(tokens + " --device=ptx --ptx-seed 3");
  EXPECT_EQ(onPtx["device"], "ptx");
  EXPECT_EQ(onPtx["device_name"], "interpreter of sm_80 code, seed 3");
  EXPECT_FALSE(onPtx.contains("device_reason"));
  EXPECT_EQ(onPtx["image"], "sm_80");
  const json onCuda = runJson(tokens + " --device=cuda");
  EXPECT_EQ(onCuda["device"], "cuda");
  EXPECT_EQ(onCuda["tokens"], onPtx["tokens"]);
  EXPECT_EQ(onCuda["tokens"].size(), 6u);
  const json chosen = runJson(tokens);
  EXPECT_EQ(chosen["device"], "cuda");
  EXPECT_EQ(chosen["device_reason"], "a GPU that runs sm_80");
  EXPECT_EQ(runJson(tokens + " --device=ptx --ptx-unchecked")["device_name"],
            "interpreter of sm_80 code, seed 0, without checks");
}

TEST_F(RunnerTest, states_resume_elsewhere) {
  const std::string state = folder.path("state");
  const json all = runJson("--tokens 1,2 -n 8 --ignore-eos --device=ptx");
  run("--tokens 1,2 -n 3 --ignore-eos --device=ptx --state-out " + state);
  const json rest =
      runJson("--state-in " + state + " -n 5 --ignore-eos --device=cuda");
  EXPECT_EQ(rest["tokens"],
            json(all["tokens"].begin() + 3, all["tokens"].end()));
}

TEST_F(RunnerTest, negative_devices) {
  const std::string tokens = "--tokens 1,2,3 -n 1";
  EXPECT_EQ(run(tokens + " --device=cpu", 1),
            "error: " + folder.path("toy.ssmx") +
                ": no image for a CPU, got sm_80\n");
  EXPECT_EQ(run(tokens + " --device=reference", 1),
            "error: " + folder.path("toy.ssmx") +
                ": device, got reference, supported auto, cpu, cuda, ptx\n");
  setenv("SSMC_CUDA_DRIVER", "libnone.so", 1);
  const std::string message = run(tokens + " --device=cuda", 1);
  EXPECT_EQ(message.rfind("error: no NVIDIA driver: libnone.so: ", 0), 0u)
      << message;
}

#ifdef SSMC_RUN_STATIC
TEST_F(RunnerTest, static_runner_has_no_cuda) {
  const std::string tokens = "--tokens 1,2,3 -n 4";
  EXPECT_EQ(run(tokens + " --device=ptx", 0, SSMC_RUN_STATIC),
            run(tokens + " --device=ptx"));
  EXPECT_EQ(run(tokens + " --device=cuda", 1, SSMC_RUN_STATIC),
            "error: device cuda: this program is linked statically and cannot "
            "open the NVIDIA driver, use ssmc-run\n");
}
#endif
