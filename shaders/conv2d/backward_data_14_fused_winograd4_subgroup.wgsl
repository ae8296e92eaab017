// conv2d / backward_data / 14 fused winograd4 subgroup: version 7 in one dispatch.
{% include "common/fused_winograd" %}
