// Which pixel of a window is its maximum, for four channels; the file that includes this one binds `input`.

{% include "common/max_rule" %}

// ky * kw + kx of the maximum of window (oy, ox), lane by lane; pixel 0 of the channels is the group `start`.
fn winner(start: u32, oy: u32, ox: u32) -> vec4<u32> {
    let rows = pixels_of(oy, p.stride_y, p.pad_y, p.kh, p.h);
    let cols = pixels_of(ox, p.stride_x, p.pad_x, p.kw, p.w);
    let top = rows.x + p.pad_y - oy * p.stride_y;
    let left = cols.x + p.pad_x - ox * p.stride_x;
    var tap = vec4<u32>(top * p.kw + left);
    var most = from_wide(input[start + rows.x * p.w + cols.x]);
    for (var y = rows.x; y < rows.y; y++) {
        for (var x = cols.x; x < cols.y; x++) {
            let value = from_wide(input[start + y * p.w + x]);
            let better = beats(value, most);
            most = select(most, value, better);
            tap = select(tap, vec4<u32>((top + y - rows.x) * p.kw + left + x - cols.x), better);
        }
    }
    return tap;
}
