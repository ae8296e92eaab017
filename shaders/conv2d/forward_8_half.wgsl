// conv2d / forward / 8 half: version 2 on images and weights in 16 bits; products and sums are f32.
{% include "common/gather_gemm" %}
