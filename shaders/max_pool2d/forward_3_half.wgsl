// max_pool2d / forward / 3 half: version 2 on images in 16 bits.
{% include "max_pool2d/forward_2_wide" %}
