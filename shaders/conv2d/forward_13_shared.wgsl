// conv2d / forward / 13 shared: version 12, the sums of small images shared out among workgroups; conv2d/sum_parts adds the parts.
{% include "common/staged_gemm" %}
