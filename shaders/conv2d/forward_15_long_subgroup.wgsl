// conv2d / forward / 15 long subgroup: version 3 with turns as long as larger instruction caches hold.
{% include "common/gather_gemm" %}
