// conv2d / backward_weight / 4 rows: a pixel is loaded once for all taps of a row.
{% include "common/row_weight_gemm" %}
