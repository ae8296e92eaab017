// conv2d / forward / 4 Winograd F(2x2, 3x3): the products at all points are one GEMM each.
{% include "common/gather_gemm" %}
