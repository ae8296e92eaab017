// conv2d / backward_data / 11 shared: version 10, the sums of small images shared out among workgroups; conv2d/sum_parts adds the
// parts.
{% include "common/staged_gemm" %}
