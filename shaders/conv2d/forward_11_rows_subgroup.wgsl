// conv2d / forward / 11 rows subgroup: version 10 with twice the pixels a lane.
{% include "common/row_gather_gemm" %}
