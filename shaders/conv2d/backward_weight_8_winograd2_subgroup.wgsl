// conv2d / backward_weight / 8 Winograd F(2x2, 3x3) on one subgroup, the gradient broadcast.
{% include "common/weight_gemm" %}
