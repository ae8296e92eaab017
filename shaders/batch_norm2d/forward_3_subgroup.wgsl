// batch_norm2d / forward / 3 subgroup: version 2, whose chunks are summed by a subgroup of 8 lanes.
{% include "common/batch_norm_parts" %}
