// conv2d / backward_weight / 3 subgroup: version 2 on one subgroup, each value of the gradient loaded once and broadcast.
{% include "common/weight_gemm" %}
