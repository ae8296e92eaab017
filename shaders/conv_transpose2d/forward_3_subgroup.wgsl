// conv_transpose2d / forward / 3 subgroup: version 2 on one subgroup, each weight loaded once and broadcast.
{% include "common/gather_gemm" %}
