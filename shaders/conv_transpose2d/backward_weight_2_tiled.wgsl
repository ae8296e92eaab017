// conv_transpose2d / backward_weight / 2 tiled: a GEMM over all pixels in which the output's gradient is the shifted
// operand; the splits are added by conv2d/sum_splits.
{% include "common/weight_gemm" %}
