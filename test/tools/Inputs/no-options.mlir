module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %x = transform.tune.knob<"x"> options = [] -> !transform.any_param
    transform.yield
  }
}
