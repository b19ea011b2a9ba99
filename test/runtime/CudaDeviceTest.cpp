//===- CudaDeviceTest.cpp - Choice of devices, failures of drivers --------===//
//
// Part of ssmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ToyPtx.h"
#include "runtime/Generation.h"
#include "runtime/Session.h"
#include "runtime/cuda/Driver.h"

#include <gtest/gtest.h>
#include <set>

using namespace ssmrt;

namespace {

class CudaDeviceTest : public ::testing::Test {
protected:
  void SetUp() override {
    setenv("SSMC_CUDA_DRIVER", SSMC_FAKE_CUDA_LIBRARY, 1);
    unsetenv("SSMC_FAKE_CUDA");
    writeToyWeights(folder);
  }

  Expected<std::shared_ptr<Model>> load(const std::vector<ToyImage> &images,
                                        const std::string &device,
                                        const std::string &precision = "auto") {
    ModelOptions options;
    options.weights = folder.path();
    options.useCache = false;
    options.device = device;
    options.precision = precision;
    Expected<Artifact> artifact = toyArtifactOf(images);
    if (!artifact)
      return artifact.status();
    return Model::load(*std::move(artifact), options);
  }

  std::string messageOf(const std::vector<ToyImage> &images,
                        const std::string &device) {
    return load(images, device).status().message;
  }

  /// What using the model from start to end says under a setting of the fake
  /// driver.
  std::string messageWith(const std::string &setting) {
    // Little memory, as copies within it are timed.
    setenv("SSMC_FAKE_CUDA", (setting + ",memory=2000000").c_str(), 1);
    ToyImage image = toyGpuImage();
    image.plan["kernels"][1]["shared"] = 50000;
    Expected<std::shared_ptr<Model>> model = load({image}, "cuda");
    if (!model)
      return model.status().message;
    if (Expected<double> rate = (*model)->device().copyRate(); !rate)
      return rate.status().message;
    Expected<std::unique_ptr<Session>> session = Session::create(*model, {});
    if (!session)
      return session.status().message;
    KernelTimes times(4);
    (*session)->setKernelTimes(&times);
    GenerationOptions options;
    options.count = 0;
    if (Expected<GenerationResult> result =
            generate(**session, {{1, 2, 3}}, options, nullptr);
        !result)
      return result.status().message;
    (*session)->setKernelTimes(nullptr);
    options.count = 20;
    options.ignoreEnd = true;
    if (Expected<GenerationResult> result =
            generate(**session, {{1, 2, 3}}, options, nullptr);
        !result)
      return result.status().message;
    return (*session)->saveState(folder.path("state"), {}).message;
  }

  TemporaryFolder folder;
};

ToyImage gpuImage(const std::string &arch, const std::string &precision) {
  ToyImage image = toyGpuImage();
  image.plan["arch"] = image.plan["target"] = arch;
  image.plan["precision"] = precision;
  return image;
}

} // namespace

TEST_F(CudaDeviceTest, auto_says_what_it_chose) {
  Expected<std::shared_ptr<Model>> model = load({toyCpuImage()}, "auto");
  ASSERT_TRUE(model.ok()) << model.status().message;
  EXPECT_EQ((*model)->device().kind(), "cpu");
  EXPECT_EQ((*model)->deviceReason(), "no image for a GPU");

  model = load({toyCpuImage(), toyGpuImage()}, "auto");
  ASSERT_TRUE(model.ok()) << model.status().message;
  EXPECT_EQ((*model)->device().kind(), "cuda");
  EXPECT_EQ((*model)->device().description(), "Fake GPU, sm_90, PTX");
  EXPECT_EQ((*model)->deviceReason(), "a GPU that runs sm_80");

  setenv("SSMC_CUDA_DRIVER", "/nowhere/libcuda.so.1", 1);
  model = load({toyCpuImage(), toyGpuImage()}, "auto");
  ASSERT_TRUE(model.ok()) << model.status().message;
  EXPECT_EQ((*model)->device().kind(), "cpu");
  EXPECT_EQ((*model)->deviceReason().rfind(
                "no NVIDIA driver: /nowhere/libcuda.so.1: ", 0),
            0u)
      << (*model)->deviceReason();

  const std::string message = messageOf({toyGpuImage()}, "auto");
  EXPECT_EQ(message.rfind("toy.ssmx: no image for a CPU, got sm_80; GPU: no "
                          "NVIDIA driver: /nowhere",
                          0),
            0u)
      << message;
}

TEST_F(CudaDeviceTest, chooses_images) {
  const std::vector<ToyImage> images = {
      gpuImage("sm_80", "f32"), gpuImage("sm_90", "f32"),
      gpuImage("sm_90a", "bf16"), gpuImage("sm_100", "f32")};
  auto chosen = [&](const char *chip, const std::string &device,
                    const std::string &precision) {
    setenv("SSMC_FAKE_CUDA", (std::string("chip=") + chip).c_str(), 1);
    Expected<std::shared_ptr<Model>> model = load(images, device, precision);
    return model ? (*model)->image().target : model.status().message;
  };
  EXPECT_EQ(chosen("86", "cuda", "auto"), "sm_80");
  EXPECT_EQ(chosen("90", "cuda", "auto"), "sm_90");
  EXPECT_EQ(chosen("90", "cuda", "bf16"), "sm_90a");
  EXPECT_EQ(chosen("120", "cuda", "auto"), "sm_100");
  EXPECT_EQ(chosen("120", "cuda", "bf16"),
            "toy.ssmx: no image for this machine: sm_90a does not run on "
            "sm_120");
  EXPECT_EQ(chosen("75", "cuda", "f32"),
            "toy.ssmx: no image for this machine: sm_80 does not run on sm_75, "
            "sm_90 does not run on sm_75, sm_100 does not run on sm_75");
  EXPECT_EQ(chosen("75", "ptx", "bf16"), "sm_90a");
  EXPECT_EQ(chosen("75", "ptx", "f16"),
            "toy.ssmx: precision, got f16, supported f32, bf16");
}

TEST_F(CudaDeviceTest, takes_a_cubin_that_fits) {
  ToyImage image = toyGpuImage();
  image.cubin = std::string("cubin") + toyPtx();
  auto code = [&](const char *chip) {
    setenv("SSMC_FAKE_CUDA", (std::string("chip=") + chip).c_str(), 1);
    Expected<std::shared_ptr<Model>> model = load({image}, "cuda");
    return model ? (*model)->device().description() : model.status().message;
  };
  EXPECT_EQ(code("80"), "Fake GPU, sm_80, cubin");
  EXPECT_EQ(code("86"), "Fake GPU, sm_86, cubin");
  EXPECT_EQ(code("90"), "Fake GPU, sm_90, PTX");
}

TEST_F(CudaDeviceTest, negative_artifacts) {
  EXPECT_EQ(messageOf({toyCpuImage()}, "cuda"),
            "toy.ssmx: no image for a GPU, got toy");
  EXPECT_EQ(messageOf({toyCpuImage()}, "ptx"),
            "toy.ssmx: no image for a GPU, got toy");
  EXPECT_EQ(messageOf({toyGpuImage()}, "cpu"),
            "toy.ssmx: no image for a CPU, got sm_80");
  EXPECT_EQ(messageOf({toyGpuImage()}, "tpu"),
            "toy.ssmx: device, got tpu, supported auto, cpu, cuda, ptx");
  ToyImage image = toyGpuImage();
  image.plan["kernels"][0]["name"] = "imbed";
  EXPECT_EQ(messageOf({image}, "ptx"), "toy.ssmx: missing kernel 'imbed'");
  EXPECT_EQ(messageOf({image}, "cuda"),
            "toy.ssmx: image.0: kernel 'imbed': cuModuleGetFunction: named "
            "symbol not found (CUDA_ERROR_NOT_FOUND, 500)");
  image = toyGpuImage();
  image.code.clear();
  EXPECT_EQ(messageOf({image}, "cuda"), "toy.ssmx: image.0: empty");
  EXPECT_EQ(messageOf({image}, "ptx"), "toy.ssmx: image.0: empty");
  image.code = ".version 7.0\n.target sm_80\n.address_size 64\n"
               ".visible .entry embed()\n{\n\tfrobnicate.b32;\n}\n";
  const std::string message = messageOf({image}, "ptx");
  EXPECT_EQ(message.rfind("toy.ssmx: image.0: line 6: ", 0), 0u) << message;
  EXPECT_NE(message.find("frobnicate"), std::string::npos) << message;
  const std::string logged = messageOf({image}, "cuda");
  EXPECT_EQ(logged.rfind("toy.ssmx: image.0: cuModuleLoadDataEx: a PTX JIT "
                         "compilation failed (CUDA_ERROR_INVALID_PTX, 218): "
                         "ptxas: line 6: ",
                         0),
            0u)
      << logged;
  EXPECT_NE(logged.find("fatal"), std::string::npos) << logged;
  EXPECT_EQ(logged.find('\n'), std::string::npos);
}

TEST_F(CudaDeviceTest, negative_drivers) {
  EXPECT_EQ(messageWith("version=11040"),
            "NVIDIA driver, got one for CUDA 11.4, supported from 12.0");
  EXPECT_EQ(messageWith("devices=0"), "the NVIDIA driver shows no GPU");
  EXPECT_EQ(messageWith("devices=-1"),
            "cuInit: no CUDA-capable device is detected (CUDA_ERROR_NO_DEVICE, "
            "100)");
  EXPECT_EQ(messageWith("memory=100"),
            "memory of Fake GPU, got 0.0 MB free, expected 0.0 MB for weights");
  const std::string message = messageWith("memory=200000");
  EXPECT_EQ(message.rfind("memory of Fake GPU, got 0.", 0), 0u) << message;
  setenv("SSMC_CUDA_DRIVER", "libc.so.6", 1);
  EXPECT_EQ(messageOf({toyGpuImage()}, "cuda"),
            "libc.so.6: no cuInit, expected a driver for CUDA 12 or later");
}

// Whatever call fails, the first time or later, one line names it, and nothing
// hangs or crashes.
TEST_F(CudaDeviceTest, every_call_may_fail) {
  ASSERT_EQ(messageWith(""), "");
#define NAME_OF(member, symbol, ...) symbol,
  const std::string symbols[] = {SSMRT_CUDA_CALLS(NAME_OF)};
#undef NAME_OF
  // Nobody waits for what is given back.
  const std::set<std::string> silent = {"cuDevicePrimaryCtxRelease_v2",
                                        "cuMemFree_v2",
                                        "cuMemFreeHost",
                                        "cuStreamDestroy_v2",
                                        "cuEventDestroy_v2",
                                        "cuModuleUnload",
                                        "cuGraphDestroy",
                                        "cuGraphExecDestroy"};
  for (const std::string &symbol : symbols)
    for (int count : {1, 2, 3, 7}) {
      const std::string message =
          messageWith("fail=" + symbol + ":" + std::to_string(count));
      const std::string expected =
          symbol + ": unknown error (CUDA_ERROR_UNKNOWN, 999)";
      if (silent.count(symbol)) {
        EXPECT_EQ(message, "") << symbol;
        continue;
      }
      // Few calls happen seven times.
      if (count == 1 || !message.empty())
        EXPECT_NE(message.find(expected), std::string::npos)
            << symbol << " " << count << ": " << message;
    }
}

TEST_F(CudaDeviceTest, failures_of_kernels_are_reported) {
  ToyImage image = toyGpuImage();
  // Writes far beyond the buffers.
  const std::string store = "st.global.b32 [%rd8], %r4;";
  image.code.replace(image.code.find(store), store.size(),
                     "st.global.b32 [%rd8+268435456], %r4;");
  for (const char *device : {"ptx", "cuda"}) {
    Expected<std::shared_ptr<Model>> model = load({image}, device);
    ASSERT_TRUE(model.ok()) << model.status().message;
    Expected<std::unique_ptr<Session>> session = Session::create(*model, {});
    ASSERT_TRUE(session.ok()) << session.status().message;
    GenerationOptions options;
    options.count = 3;
    const std::string message =
        generate(**session, {{1}}, options, nullptr).status().message;
    EXPECT_NE(message.find("embed"), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

TEST_F(CudaDeviceTest, ptx_reports_what_nothing_has_written) {
  ToyImage image = toyGpuImage();
  // The second column of a row is left out.
  const std::string store = "st.global.b32 [%rd8], %r4;";
  image.code.replace(image.code.find(store), store.size(),
                     "setp.ne.u32 %p1, %r1, 1;\n\t@%p1 " + store);
  for (bool checks : {true, false}) {
    ModelOptions options;
    options.weights = folder.path();
    options.useCache = false;
    options.device = "ptx";
    options.ptx.checks = checks;
    options.ptx.seed = 7;
    Expected<std::shared_ptr<Model>> model =
        Model::load(*toyArtifactOf({image}), options);
    ASSERT_TRUE(model.ok()) << model.status().message;
    EXPECT_EQ((*model)->device().description(),
              std::string("interpreter of sm_80 code, seed 7") +
                  (checks ? "" : ", without checks"));
    Expected<std::unique_ptr<Session>> session = Session::create(*model, {});
    ASSERT_TRUE(session.ok()) << session.status().message;
    const int32_t token = 1;
    const SequenceTokens input{0, {&token, 1}};
    const std::string message =
        (*session)->prefill({&input, 1}, LogitsMode::Last).message;
    EXPECT_EQ(message.empty(), !checks) << message;
  }
}
