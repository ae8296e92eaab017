// conv2d / backward_data / 8 rows subgroup: version 3 by rows of taps, each pixel loaded once for a row.
{% include "common/row_gather_gemm" %}
