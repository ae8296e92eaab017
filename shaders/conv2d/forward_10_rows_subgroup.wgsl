// conv2d / forward / 10 rows subgroup: version 3 by rows of taps, each pixel loaded once for a row.
{% include "common/row_gather_gemm" %}
