// conv_transpose2d / forward / 6 half: version 2 on images and weights in 16 bits; products and sums are f32.
{% include "common/gather_gemm" %}
