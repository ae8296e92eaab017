// conv_transpose2d / backward_data / 3 subgroup: version 2 on one subgroup, each weight loaded once and broadcast.
{% include "common/gather_gemm" %}
