// conv2d / backward_weight / 5 rows subgroup: version 4 on one subgroup, the gradient broadcast.
{% include "common/row_weight_gemm" %}
