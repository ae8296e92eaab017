// Of common/gather_gemm and common/staged_gemm: which {{ group_pixels }} pixels and which channels a workgroup writes, and which taps
// they meet. `z`: the number of its run of channels, and of its tap where taps are apart.
    let slot = wid.y * groups.x + wid.x;
    // Where an image is written in runs of channels, the run starts at co_first, a whole tile, and out_base is that of
    // channel 0, perhaps before the binding: the sum of both wraps around to the right place.
    let co0 = p.co_first + (z % p.co_tiles) * {{ tile }}u;
{% if subpixel or batched %}
    let tile = slot;
    let tap = z / p.co_tiles;
    let row = p.w;
    let plane = p.h * row;
    let last = p.pixels - 1u;
{% elif fractional %}
    // Neighbours take turns at the phases, some of which have more taps than others.
    let phases = u32(p.div_y * p.div_x);
    let tile = slot / phases;
    let phase_y = slot % phases / u32(p.div_x);
    let phase_x = slot % u32(p.div_x);
    let rows = (p.oh + u32(p.div_y) - 1u - phase_y) / u32(p.div_y);
    let row = (p.ow + u32(p.div_x) - 1u - phase_x) / u32(p.div_x);
    let plane = rows * row;
    let pixels = p.pixels / (p.oh * p.ow) * plane;
    if tile * {{ group_pixels }}u >= pixels {
        return;
    }
    let last = pixels - 1u;
    // The first tap of every_y, every_x that this phase meets.
    let from_y = i32(phase_y) + p.shift_y;
    let from_x = i32(phase_x) + p.shift_x;
    var first_y = 0u;
    while first_y < p.every_y && (from_y + i32(first_y) * p.step_y) % p.div_y != 0 {
        first_y++;
    }
    var first_x = 0u;
    while first_x < p.every_x && (from_x + i32(first_x) * p.step_x) % p.div_x != 0 {
        first_x++;
    }
    let meets = first_y < min(p.every_y, p.kh) && first_x < min(p.every_x, p.kw);
    let taps_y = (p.kh + p.every_y - 1u - first_y) / p.every_y;
    let taps_x = (p.kw + p.every_x - 1u - first_x) / p.every_x;
    let turns = select(0u, taps_y * taps_x * p.ci4, meets);
    let first_dy = (from_y + i32(first_y) * p.step_y) / p.div_y;
    let first_dx = (from_x + i32(first_x) * p.step_x) / p.div_x;
    let step_y = p.step_y * i32(p.every_y) / p.div_y;
    let step_x = p.step_x * i32(p.every_x) / p.div_x;
{% else %}
    let tile = slot;
    let row = p.ow;
    let plane = p.oh * row;
    let last = p.pixels - 1u;
    let taps_x = p.kw;
    let turns = p.kh * taps_x * p.ci4;
    let first_dy = p.shift_y;
    let first_dx = p.shift_x;
    let step_y = p.step_y;
    let step_x = p.step_x;
{% endif %}
