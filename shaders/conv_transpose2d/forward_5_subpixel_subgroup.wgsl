// conv_transpose2d / forward / 5 subpixel_subgroup: version 4 on one subgroup, each weight loaded once and broadcast.
{% include "common/gather_gemm" %}
