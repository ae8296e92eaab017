// concat / forward / 3 half: version 2 on images in 16 bits.
{% include "concat/forward_2_wide" %}
