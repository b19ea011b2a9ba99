"""Tests of IR: `ninja check-ssm`. `-D roundtrip=1` forces round trips."""
import os
import sys
import lit.formats

config.name = "ssmc"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".ptx", ".test"]
config.excludes = ["fuzz", "Inputs"]
config.environment["PATH"] = os.pathsep.join(
    [config.tools_dir, config.llvm_tools_dir, os.environ["PATH"]])
# A CUDA driver on the PTX interpreter.
config.substitutions.append(("%fake_cuda", config.fake_cuda))
config.substitutions.append(("%python", f'"{sys.executable}" -B'))
if lit_config.params.get("roundtrip"):
    config.substitutions.append((r"\bssm-opt\b", "ssm-opt --verify-roundtrip"))
