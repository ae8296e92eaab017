// conv_transpose2d / forward / 11 joined subgroup: version 5, with the channels of all taps as if they were channels.
{% include "common/gather_gemm" %}
