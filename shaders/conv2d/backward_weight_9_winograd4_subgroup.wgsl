// conv2d / backward_weight / 9 Winograd F(4x4, 3x3) on one subgroup, the gradient broadcast.
{% include "common/weight_gemm" %}
