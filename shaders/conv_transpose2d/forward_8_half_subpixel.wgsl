// conv_transpose2d / forward / 8 half subpixel: version 4 on images and weights in 16 bits.
{% include "common/gather_gemm" %}
