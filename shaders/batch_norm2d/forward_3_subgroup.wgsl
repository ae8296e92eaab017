// batch_norm2d / forward / 3 subgroup: version 2, whose chunks are summed by subgroups.
{% include "common/batch_norm_parts" %}
