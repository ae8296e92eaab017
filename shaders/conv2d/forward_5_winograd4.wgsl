// conv2d / forward / 5 Winograd F(4x4, 3x3): the products at all points are one GEMM each.
{% include "common/gather_gemm" %}
