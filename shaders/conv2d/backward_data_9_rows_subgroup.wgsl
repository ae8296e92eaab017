// conv2d / backward_data / 9 rows subgroup: version 8 with twice the pixels a lane.
{% include "common/row_gather_gemm" %}
