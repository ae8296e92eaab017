// conv2d / backward_weight / 12 long subgroup: version 3 with turns as long as larger instruction caches hold.
{% include "common/weight_gemm" %}
