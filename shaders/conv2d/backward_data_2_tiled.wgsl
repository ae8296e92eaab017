// conv2d / backward_data / 2 tiled: the same implicit GEMM over the output's gradient, with the taps walked backwards
// and the weight read along its other channels.
{% include "common/gather_gemm" %}
