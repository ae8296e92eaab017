// global_avg_pool2d / forward / 5 half split: version 3 on images in 16 bits.
{% include "global_avg_pool2d/forward_3_split" %}
