// batch_norm2d / backward / 3 subgroup: version 2, whose chunks are summed by subgroups.
{% include "common/batch_norm_backward_parts" %}
