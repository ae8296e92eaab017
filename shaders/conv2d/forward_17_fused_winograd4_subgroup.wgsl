// conv2d / forward / 17 fused winograd4 subgroup: version 7 in one dispatch.
{% include "common/fused_winograd" %}
