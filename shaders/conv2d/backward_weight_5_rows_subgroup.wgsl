// conv2d / backward_weight / 5 rows on one subgroup, the gradient broadcast.
{% include "common/row_weight_gemm" %}
