// conv2d / backward_weight / 2 tiled: a GEMM over all pixels on register tiles, split where the weight has few tiles;
// the splits are added by conv2d/sum_splits.
{% include "common/weight_gemm" %}
