// Attention and the cache append compile for every target without a call: the
// image refuses undefined symbols.
//
// RUN: kern-compile %s --target=x86-64-v3 --emit=image | FileCheck %s
// RUN: kern-compile %s --target=x86-64-v4 --emit=image | FileCheck %s
// RUN: kern-compile %s --target=aarch64 --emit=image | FileCheck %s
// RUN: kern-compile %s --target=x86-64-v3 --emit=asm | FileCheck %s --check-prefix=V3
// RUN: kern-compile %s --target=x86-64-v4 --emit=asm | FileCheck %s --check-prefix=V4

// CHECK: kernel_0 {{[0-9]+}} bytes
// CHECK: kernel_1 {{[0-9]+}} bytes
// CHECK: kernel_2 {{[0-9]+}} bytes
// CHECK: kernel_3 {{[0-9]+}} bytes

// Blocks use the full vector width.
// V3-LABEL: kernel_1:
// V3: vfmadd231ps {{.*}}%ymm
// V4-LABEL: kernel_1:
// V4: vfmadd231ps {{.*}}%zmm
// V4: prefetcht1
!rows = tensor<?x512xf32>
!cache = tensor<?x2x?x64xf32>
func.func private @full(%x: tensor<?x768xf32>, %seqs: !ssm.seqs, %k: !cache,
                        %v: !cache) -> (!rows, !rows) {
  %q, %k1, %v1 = kern.kv_append %x, %seqs cache %k, %v query_scale(0.18)
      rope(<default, dims = 64, theta = 10000.0>)
      : tensor<?x768xf32>, !cache -> !rows
  %a = kern.attention prefill %q, %seqs cache %k1, %v1 : !rows, !cache -> !rows
  %b = kern.attention decode %q, %seqs cache %k1, %v1 : !rows, !cache -> !rows
  return %a, %b : !rows, !rows
}

!half = tensor<?x2x?x7xbf16>
func.func private @half(%q: tensor<?x28xbf16>, %seqs: !ssm.seqs, %k: !half,
                        %v: !half) -> tensor<?x28xbf16> {
  %a = kern.attention prefill %q, %seqs cache %k, %v window(100)
      : tensor<?x28xbf16>, !half -> tensor<?x28xbf16>
  return %a : tensor<?x28xbf16>
}
