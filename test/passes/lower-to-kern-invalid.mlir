// RUN: ssm-opt %s --ssm-lower-to-kern --split-input-file --verify-diagnostics

func.func private @unfused_attention(%q: tensor<?x4xf32>, %seqs: !ssm.seqs, %kc: tensor<?x2x?x2xf32>, %vc: tensor<?x2x?x2xf32>) -> (tensor<?x4xf32>, tensor<?x2x?x2xf32>, tensor<?x2x?x2xf32>) {
  // expected-error @below {{'ssm.attention' op expected query, key and value to be adjacent columns of one product; run --ssm-fuse-projections first}}
  %0, %1, %2 = ssm.attention %q, %q, %q, %seqs cache %kc, %vc scale(0.5) : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x2x?x2xf32>
  return %0, %1, %2 : tensor<?x4xf32>, tensor<?x2x?x2xf32>, tensor<?x2x?x2xf32>
}

// -----

func.func private @decay_not_folded(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %a_log: tensor<4xf32>, %d: tensor<4xf32>, %state: tensor<?x4x2x3xf32>) -> (tensor<?x8xf32>, tensor<?x4x2x3xf32>) {
  %a = ssm.neg_exp %a_log : tensor<4xf32>
  %dt, %b, %rest = ssm.split %x : tensor<?x8xf32> -> tensor<?x4xf32>, tensor<?x3xf32>, tensor<?x1xf32>
  // expected-error @below {{'ssm.ssd' op expected A to be a weight; run --ssm-bind-recipes first}}
  %0, %1 = ssm.ssd %x dt %dt A %a B %b C %b D %d, %seqs state %state : tensor<?x8xf32>, tensor<?x4xf32>, tensor<4xf32>, tensor<?x3xf32>, tensor<4xf32>, tensor<?x4x2x3xf32>
  return %0, %1 : tensor<?x8xf32>, tensor<?x4x2x3xf32>
}

// -----

func.func private @decay_not_a_weight(%x: tensor<?x4xf32>, %seqs: !ssm.seqs, %a_log: tensor<4xf32>) -> tensor<?x4xf32> {
  // expected-error @below {{'ssm.neg_exp' op has no lowering to kern}}
  %a = ssm.neg_exp %a_log : tensor<4xf32>
  %0 = ssm.add_bias %x, %a : tensor<?x4xf32>, tensor<4xf32>
  return %0 : tensor<?x4xf32>
}
