# rewrite.sh FOLDER OPERATION: applies transform.ssm.OPERATION to a model of one
# Mamba-2, one MLP and one attention layer. Fails if the rewrite succeeds.
cat > "$1/model.mlir" <<EOT
ssm.model @m hidden(64) vocab(100) weights(f32) {
  ssm.embed "embed"
  ssm.layer norm(<rms, eps = 1.0e-5>, "a.norm") { ssm.block "a" #ssm.mamba2<heads = 8, head_dim = 16, state = 16, groups = 2, conv = 4> }
  ssm.layer norm(<rms, eps = 1.0e-5>, "b.norm") { ssm.block "b" #ssm.mlp<inner = 256, activation = gelu> }
  ssm.layer norm(<rms, eps = 1.0e-5>, "c.norm") { ssm.block "c" #ssm.attention<heads = 4, kv_heads = 4, head_dim = 16> }
  ssm.head "head" norm(<rms, eps = 1.0e-5>, "norm")
}
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    transform.ssm.$2 : !transform.any_op
    transform.yield
  }
}
EOT
! ssm-opt "$1/model.mlir" --transform-interpreter
