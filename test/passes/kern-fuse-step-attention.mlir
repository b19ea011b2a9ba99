// RUN: ssm-opt %s --kern-fuse-step-attention | FileCheck %s

// CHECK-LABEL: func.func private @layer.step
// CHECK-NOT: kern.kv_append
// CHECK: %[[Y:.*]], %[[K:.*]], %[[V:.*]] = kern.attention_step %arg0, %arg1 cache %arg2, %arg3 query_scale(5.0{{.*}}) rounded f32 window(7)
// CHECK: return %[[Y]], %[[K]], %[[V]]
func.func private @layer.step(%qkv: tensor<?x16xf32>, %seqs: !ssm.seqs,
    %k: tensor<?x2x?x2xbf16>, %v: tensor<?x2x?x2xbf16>)
    -> (tensor<?x8xf32>, tensor<?x2x?x2xbf16>, tensor<?x2x?x2xbf16>) {
  %q, %k1, %v1 = kern.kv_append %qkv, %seqs cache %k, %v query_scale(0.5) : tensor<?x16xf32>, tensor<?x2x?x2xbf16> -> tensor<?x8xf32>
  %y = kern.attention decode %q, %seqs cache %k1, %v1 window(7) : tensor<?x8xf32>, tensor<?x2x?x2xbf16> -> tensor<?x8xf32>
  return %y, %k1, %v1 : tensor<?x8xf32>, tensor<?x2x?x2xbf16>, tensor<?x2x?x2xbf16>
}

// CHECK-LABEL: func.func private @negative.prefill
// CHECK: kern.kv_append
func.func private @negative.prefill(%qkv: tensor<?x16xf32>, %seqs: !ssm.seqs,
    %k: tensor<?x2x?x2xbf16>, %v: tensor<?x2x?x2xbf16>)
    -> (tensor<?x8xf32>, tensor<?x2x?x2xbf16>, tensor<?x2x?x2xbf16>) {
  %q, %k1, %v1 = kern.kv_append %qkv, %seqs cache %k, %v query_scale(0.5) : tensor<?x16xf32>, tensor<?x2x?x2xbf16> -> tensor<?x8xf32>
  %y = kern.attention decode %q, %seqs cache %k1, %v1 : tensor<?x8xf32>, tensor<?x2x?x2xbf16> -> tensor<?x8xf32>
  return %y, %k1, %v1 : tensor<?x8xf32>, tensor<?x2x?x2xbf16>, tensor<?x2x?x2xbf16>
}

// 16 query heads of a key.
// CHECK-LABEL: func.func private @negative_many_heads.step
// CHECK: kern.kv_append
func.func private @negative_many_heads.step(%qkv: tensor<?x36xf32>, %seqs: !ssm.seqs,
    %k: tensor<?x1x?x2xf32>, %v: tensor<?x1x?x2xf32>)
    -> (tensor<?x32xf32>, tensor<?x1x?x2xf32>, tensor<?x1x?x2xf32>) {
  %q, %k1, %v1 = kern.kv_append %qkv, %seqs cache %k, %v query_scale(0.5) : tensor<?x36xf32>, tensor<?x1x?x2xf32> -> tensor<?x32xf32>
  %y = kern.attention decode %q, %seqs cache %k1, %v1 : tensor<?x32xf32>, tensor<?x1x?x2xf32> -> tensor<?x32xf32>
  return %y, %k1, %v1 : tensor<?x32xf32>, tensor<?x1x?x2xf32>, tensor<?x1x?x2xf32>
}
