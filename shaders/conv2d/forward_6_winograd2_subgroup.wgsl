// conv2d / forward / 6 Winograd F(2x2, 3x3) on one subgroup, each weight loaded once and broadcast.
{% include "common/gather_gemm" %}
