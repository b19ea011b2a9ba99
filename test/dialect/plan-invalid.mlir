// RUN: ssm-opt %s --split-input-file --verify-diagnostics

// expected-error @below {{'plan.program' op expected a buffer called @x}}
plan.program @program_c1 hidden(8) vocab(32) stream(@x) logits(@x) precision("f32") {
}

// -----

// expected-error @below {{'plan.program' op expected exactly one plan.layers}}
plan.program @program_c2 hidden(8) vocab(32) stream(@x) logits(@x) precision("f32") {
  plan.buffer @x[rows, 8] f32 stride(16) offset(0)
}

// -----

plan.program @kernel_c1 hidden(8) vocab(32) stream(@x) logits(@x) precision("f32") {
  // expected-error @below {{'plan.kernel' op expected exactly one operation, of the kern dialect}}
  plan.kernel @k {
    %zero = arith.constant 0.0 : f32
  }
}

// -----

plan.program @weight_c1 hidden(8) vocab(32) stream(@x) logits(@x) precision("f32") {
  // expected-error @below {{'plan.weight' op expected a recipe that ends in 'pack'}}
  plan.weight @w <<tensor "w" [8]>>
}

// -----

plan.program @weight_stack hidden(8) vocab(32) stream(@x) logits(@x) precision("f32") {
  // expected-error @below {{'plan.weight' op expected a recipe to leave one matrix, got 2}}
  plan.weight @w <<tensor "a" [8]>, <tensor "b" [8]>, <pack "f32">>
}

// -----

plan.program @weight_underflow hidden(8) vocab(32) stream(@x) logits(@x) precision("f32") {
  // expected-error @below {{'plan.weight' op expected 2 matrices before recipe step 'interleave', got 1}}
  plan.weight @w <<tensor "a" [8]>, <interleave [4]>, <pack "f32">>
}

// -----

plan.program @weight_granule hidden(8) vocab(32) stream(@x) logits(@x) precision("f32") {
  // expected-error @below {{'plan.weight' op expected to interleave equal multiples of 3 rows, got 8 and 8}}
  plan.weight @w <<tensor "a" [8]>, <tensor "b" [8]>, <interleave [3]>, <pack "f32">>
}

// -----

plan.program @weight_granule hidden(8) vocab(32) stream(@x) logits(@x) precision("f32") {
  // expected-error @below {{'plan.weight' op expected groups of 3 blocks of 2 rows in recipe step 'mean', got 8 rows}}
  plan.weight @w <<tensor "a" [8]>, <mean "f32" [3, 2]>, <pack "f32">>
}

// -----

plan.program @weight_granule hidden(8) vocab(32) stream(@x) logits(@x) precision("f32") {
  // expected-error @below {{'plan.weight' op unknown type "f64" in recipe step 'mean' (supported: f32, bf16, f16)}}
  plan.weight @w <<tensor "a" [8]>, <mean "f64" [2, 2]>, <pack "f32">>
}

// -----

plan.program @weight_slice hidden(8) vocab(32) stream(@x) logits(@x) precision("f32") {
  // expected-error @below {{'plan.weight' op expected a slice of 8 rows}}
  plan.weight @w <<tensor "a" [8, 2]>, <slice [4, 9]>, <pack "f32">>
}

// -----

plan.program @weight_type hidden(8) vocab(32) stream(@x) logits(@x) precision("f32") {
  // expected-error @below {{'plan.weight' op unknown type "f64" in recipe step 'pack' (supported: f32, bf16, f16)}}
  plan.weight @w <<tensor "a" [8, 2]>, <pack "f64">>
}

// -----

plan.program @buffer_stride hidden(8) vocab(32) stream(@x) logits(@x) precision("f32") {
  // expected-error @below {{'plan.buffer' op expected 'stride' 4 to be at least 8 columns}}
  plan.buffer @x[rows, 8] f32 stride(4) offset(0)
}

// -----

plan.program @state_c1 hidden(8) vocab(32) stream(@x) logits(@x) precision("f32") {
  // expected-error @below {{'plan.state' op expected a shape of rank 3, got 2}}
  plan.state @s ssm2 [8, 3] f32
}

// -----

plan.program @body_c2 hidden(8) vocab(32) stream(@x) logits(@x) precision("f32") {
  plan.body @b weights(1) states [] prefill {
    // expected-error @below {{'plan.launch' op uses weight 1 of 1}}
    plan.launch @k rows [<weight at 1>]
  } step {
  }
}

// -----

plan.program @body_c2_state hidden(8) vocab(32) stream(@x) logits(@x) precision("f32") {
  plan.body @b weights(1) states [] prefill {
    // expected-error @below {{'plan.launch' op uses state 0 of 0}}
    plan.launch @k rows [<state>]
  } step {
  }
}

// -----

plan.program @argument hidden(8) vocab(32) stream(@x) logits(@x) precision("f32") {
  plan.body @b weights(1) states [] prefill {
    // expected-error @below {{expected a symbol in argument 'buffer'}}
    // expected-error @below {{failed to parse Plan_ArgumentsAttr parameter 'slots'}}
    plan.launch @k rows [<buffer>]
  } step {
  }
}

// -----

plan.program @launch_c1 hidden(8) vocab(32) stream(@x) logits(@x) precision("f32") {
  plan.buffer @x[rows, 8] f32 stride(16) offset(0)
  plan.body @b weights(0) states [] prefill {
    // expected-error @below {{'plan.launch' op names no kernel: @k}}
    plan.launch @k rows [<rows>]
  } step {
  }
  plan.layers before @b [] after @b
}

// -----

plan.program @layers_c1 hidden(8) vocab(32) stream(@x) logits(@x) precision("f32") {
  plan.buffer @x[rows, 8] f32 stride(16) offset(0)
  plan.body @b weights(1) states [] prefill {
  } step {
  }
  // expected-error @below {{'plan.layers' op row 0 binds 0 weights, but @b takes 1}}
  plan.layers before @b [#ssm.layer<0, @b []>] after @b
}
