// RUN: ssm-opt %s --ssm-bind-recipes --split-input-file --verify-diagnostics

func.func private @decay_of_a_state(%x: tensor<?x4xf32>, %seqs: !ssm.seqs, %state: tensor<4xf32>) -> (tensor<?x4xf32>, tensor<4xf32>) {
  // expected-error @below {{'ssm.neg_exp' op expected a weight of the layer}}
  %0 = ssm.neg_exp %state : tensor<4xf32>
  %1 = ssm.add_bias %x, %0 : tensor<?x4xf32>, tensor<4xf32>
  return %1, %state : tensor<?x4xf32>, tensor<4xf32>
}

// -----

func.func private @mean_of_a_state(%x: tensor<?x4xf32>, %seqs: !ssm.seqs, %state: tensor<8xf32>) -> (tensor<?x4xf32>, tensor<8xf32>) {
  // expected-error @below {{'ssm.mean_heads' op expected a weight of the layer}}
  %0 = ssm.mean_heads %state by 2 of 1 : tensor<8xf32> -> tensor<4xf32>
  %1 = ssm.add_bias %x, %0 : tensor<?x4xf32>, tensor<4xf32>
  return %1, %state : tensor<?x4xf32>, tensor<8xf32>
}
