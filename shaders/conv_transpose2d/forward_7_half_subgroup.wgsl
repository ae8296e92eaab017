// conv_transpose2d / forward / 7 half subgroup: version 6 on one subgroup.
{% include "common/gather_gemm" %}
