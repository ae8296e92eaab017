// conv_transpose2d / backward_weight / 3 subgroup: version 2 on one subgroup, each value of x loaded once and broadcast.
{% include "common/weight_gemm" %}
