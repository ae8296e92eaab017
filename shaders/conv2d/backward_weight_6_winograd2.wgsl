// conv2d / backward_weight / 6 winograd2: F(2x2, 3x3); the gradient at each point is one GEMM over all tiles.
{% include "common/weight_gemm" %}
