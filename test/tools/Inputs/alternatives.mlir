module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    transform.tune.alternatives<"what"> {
      transform.yield
    }, {
      %state = transform.tune.knob<"state"> options = [8, 16, 32] -> !transform.any_param
      transform.ssm.set_state %root(%state) : !transform.any_op
      transform.yield
    }
    transform.yield
  }
}
