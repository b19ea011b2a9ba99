// RUN: ssm-opt %s --split-input-file --verify-diagnostics --kern-to-plan

// expected-error @below {{expected two programs '@M.prefill' and '@M.step', got 1 programs}}
module {
  ssm.program @a.prefill hidden(8) vocab(4) {
  ^bb0(%x: tensor<?x8xf32>, %seqs: !ssm.seqs):
    ssm.return %x : tensor<?x8xf32>
  }
}

// -----

ssm.program @a.prefill hidden(8) vocab(4) {
^bb0(%tokens: tensor<?xi32>, %seqs: !ssm.seqs):
  // expected-error @below {{'ssm.weight' op expected a packed recipe; run --kern-assign-layouts first}}
  %t = ssm.weight "e" {recipe = #kern.recipe<<tensor "e" [4, 8]>>} : tensor<4x8xf32>
  %x = kern.embed %tokens, %t times 1.0 : tensor<4x8xf32> -> tensor<?x8xf32>
  %y = ssm.layers %x, %seqs [] : tensor<?x8xf32>
  ssm.return %y : tensor<?x8xf32>
}
ssm.program @a.step hidden(8) vocab(4) {
^bb0(%x: tensor<?x8xf32>, %seqs: !ssm.seqs):
  ssm.return %x : tensor<?x8xf32>
}

// -----

// expected-error @below {{'ssm.program' op expected exactly one ssm.layers}}
ssm.program @a.prefill hidden(8) vocab(4) {
^bb0(%x: tensor<?x8xf32>, %seqs: !ssm.seqs):
  ssm.return %x : tensor<?x8xf32>
}
ssm.program @a.step hidden(8) vocab(4) {
^bb0(%x: tensor<?x8xf32>, %seqs: !ssm.seqs):
  ssm.return %x : tensor<?x8xf32>
}

// -----

func.func private @b.prefill(%x: tensor<?x8xf32>, %seqs: !ssm.seqs) -> tensor<?x8xf32> {
  return %x : tensor<?x8xf32>
}
ssm.program @a.prefill hidden(8) vocab(4) {
^bb0(%x: tensor<?x8xf32>, %seqs: !ssm.seqs):
  // expected-error @below {{'ssm.layers' op row 0: expected the same body and weights in prefill and step}}
  %y = ssm.layers %x, %seqs [#ssm.layer<0, @b.prefill []>] : tensor<?x8xf32>
  ssm.return %y : tensor<?x8xf32>
}
ssm.program @a.step hidden(8) vocab(4) {
^bb0(%x: tensor<?x8xf32>, %seqs: !ssm.seqs):
  %y = ssm.layers %x, %seqs [#ssm.layer<0, @b.prefill []>] : tensor<?x8xf32>
  ssm.return %y : tensor<?x8xf32>
}

// -----

func.func private @b.prefill(%x: tensor<?x8xf32>, %seqs: !ssm.seqs) -> tensor<?x8xf32> {
  // expected-error @below {{'ssm.scale' op expected kern form}}
  %y = ssm.scale %x by 2.0 : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
func.func private @b.step(%x: tensor<?x8xf32>, %seqs: !ssm.seqs) -> tensor<?x8xf32> {
  %y = ssm.scale %x by 2.0 : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
ssm.program @a.prefill hidden(8) vocab(4) {
^bb0(%x: tensor<?x8xf32>, %seqs: !ssm.seqs):
  %y = ssm.layers %x, %seqs [#ssm.layer<0, @b.prefill []>] : tensor<?x8xf32>
  ssm.return %y : tensor<?x8xf32>
}
ssm.program @a.step hidden(8) vocab(4) {
^bb0(%x: tensor<?x8xf32>, %seqs: !ssm.seqs):
  %y = ssm.layers %x, %seqs [#ssm.layer<0, @b.step []>] : tensor<?x8xf32>
  ssm.return %y : tensor<?x8xf32>
}

// -----

func.func private @b.prefill(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %k: tensor<?x1x?x2xf32>, %v: tensor<?x1x?x2xf32>) -> (tensor<?x8xf32>, tensor<?x1x?x2xf32>, tensor<?x1x?x2xf32>) {
  %q, %k1, %v1 = kern.kv_append %x, %seqs cache %k, %v query_scale(1.0) : tensor<?x8xf32>, tensor<?x1x?x2xf32> -> tensor<?x4xf32>
  // expected-error @below {{'kern.kv_append' op reads a state that 'kern.kv_append' has updated in place}}
  %z, %k2, %v2 = kern.kv_append %x, %seqs cache %k, %v query_scale(1.0) : tensor<?x8xf32>, tensor<?x1x?x2xf32> -> tensor<?x4xf32>
  return %x, %k2, %v2 : tensor<?x8xf32>, tensor<?x1x?x2xf32>, tensor<?x1x?x2xf32>
}
func.func private @b.step(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %k: tensor<?x1x?x2xf32>, %v: tensor<?x1x?x2xf32>) -> (tensor<?x8xf32>, tensor<?x1x?x2xf32>, tensor<?x1x?x2xf32>) {
  %q, %k1, %v1 = kern.kv_append %x, %seqs cache %k, %v query_scale(1.0) : tensor<?x8xf32>, tensor<?x1x?x2xf32> -> tensor<?x4xf32>
  %z, %k2, %v2 = kern.kv_append %x, %seqs cache %k, %v query_scale(1.0) : tensor<?x8xf32>, tensor<?x1x?x2xf32> -> tensor<?x4xf32>
  return %x, %k2, %v2 : tensor<?x8xf32>, tensor<?x1x?x2xf32>, tensor<?x1x?x2xf32>
}
ssm.program @a.prefill hidden(8) vocab(4) {
^bb0(%x: tensor<?x8xf32>, %seqs: !ssm.seqs):
  %y = ssm.layers %x, %seqs [#ssm.layer<0, @b.prefill []>] : tensor<?x8xf32>
  ssm.return %y : tensor<?x8xf32>
}
ssm.program @a.step hidden(8) vocab(4) {
^bb0(%x: tensor<?x8xf32>, %seqs: !ssm.seqs):
  %y = ssm.layers %x, %seqs [#ssm.layer<0, @b.step []>] : tensor<?x8xf32>
  ssm.return %y : tensor<?x8xf32>
}

// -----

func.func private @b.prefill(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %k: tensor<?x1x?x2xf32>, %v: tensor<?x1x?x2xf32>) -> (tensor<?x8xf32>, tensor<?x1x?x2xf32>, tensor<?x1x?x2xf32>) {
  %q, %k1, %v1 = kern.kv_append %x, %seqs cache %k, %v query_scale(1.0) : tensor<?x8xf32>, tensor<?x1x?x2xf32> -> tensor<?x4xf32>
  // expected-error @below {{'func.return' op expected result 1 to be state 0, updated in place}}
  return %x, %v1, %k1 : tensor<?x8xf32>, tensor<?x1x?x2xf32>, tensor<?x1x?x2xf32>
}
func.func private @b.step(%x: tensor<?x8xf32>, %seqs: !ssm.seqs, %k: tensor<?x1x?x2xf32>, %v: tensor<?x1x?x2xf32>) -> (tensor<?x8xf32>, tensor<?x1x?x2xf32>, tensor<?x1x?x2xf32>) {
  %q, %k1, %v1 = kern.kv_append %x, %seqs cache %k, %v query_scale(1.0) : tensor<?x8xf32>, tensor<?x1x?x2xf32> -> tensor<?x4xf32>
  return %x, %v1, %k1 : tensor<?x8xf32>, tensor<?x1x?x2xf32>, tensor<?x1x?x2xf32>
}
ssm.program @a.prefill hidden(8) vocab(4) {
^bb0(%x: tensor<?x8xf32>, %seqs: !ssm.seqs):
  %y = ssm.layers %x, %seqs [#ssm.layer<0, @b.prefill []>] : tensor<?x8xf32>
  ssm.return %y : tensor<?x8xf32>
}
ssm.program @a.step hidden(8) vocab(4) {
^bb0(%x: tensor<?x8xf32>, %seqs: !ssm.seqs):
  %y = ssm.layers %x, %seqs [#ssm.layer<0, @b.step []>] : tensor<?x8xf32>
  ssm.return %y : tensor<?x8xf32>
}
