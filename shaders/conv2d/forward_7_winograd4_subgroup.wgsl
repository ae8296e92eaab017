// conv2d / forward / 7 Winograd F(4x4, 3x3) on one subgroup, each weight loaded once and broadcast.
{% include "common/gather_gemm" %}
