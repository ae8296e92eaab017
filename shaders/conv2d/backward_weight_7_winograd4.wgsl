// conv2d / backward_weight / 7 winograd4: F(4x4, 3x3); the gradient at each point is one GEMM over all tiles.
{% include "common/weight_gemm" %}
