// conv2d / forward / 9 half subgroup: version 8 on one subgroup, each weight loaded once and broadcast.
{% include "common/gather_gemm" %}
