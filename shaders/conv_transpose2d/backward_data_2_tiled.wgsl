// conv_transpose2d / backward_data / 2 tiled: a convolution's forward, with the weight read along its other channels.
{% include "common/gather_gemm" %}
