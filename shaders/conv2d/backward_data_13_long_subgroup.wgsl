// conv2d / backward_data / 13 long subgroup: version 3 with turns as long as larger instruction caches hold.
{% include "common/gather_gemm" %}
