// conv2d / backward_weight / 9 winograd4 subgroup: F(4x4, 3x3) on one subgroup; the gradient at each point is one GEMM over all tiles.
{% include "common/weight_gemm" %}
