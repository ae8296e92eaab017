// global_avg_pool2d / forward / 4 half: version 2 on images in 16 bits.
{% include "global_avg_pool2d/forward_2_wide" %}
