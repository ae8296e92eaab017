// conv2d / backward_weight / 8 winograd2 subgroup: F(2x2, 3x3) on one subgroup; the gradient at each point is one GEMM over all tiles.
{% include "common/weight_gemm" %}
