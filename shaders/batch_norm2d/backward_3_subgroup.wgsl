// batch_norm2d / backward / 3 subgroup: version 2, whose chunks are summed by a subgroup of 8 lanes.
{% include "common/batch_norm_backward_parts" %}
