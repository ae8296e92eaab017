// conv_transpose2d / backward_data / 2 tiled: a convolution's forward, with the weight's channels exchanged by
// conv2d/transpose_weight.
{% include "common/gather_gemm" %}
