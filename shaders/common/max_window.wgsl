// Which pixel of a window is its maximum, for four channels; the file that includes this one binds `input`.
{% include "common/max_rule" %}

// y * w + x of the maximum of window (oy, ox), lane by lane; pixel 0 of the channels is the group `start`.
fn winner(start: u32, oy: u32, ox: u32) -> vec4<u32> {
    let rows = pixels_of(oy, p.stride_y, p.pad_y, p.kh, p.h);
    let cols = pixels_of(ox, p.stride_x, p.pad_x, p.kw, p.w);
    var at = vec4<u32>(rows.x * p.w + cols.x);
    var most = from_wide(input[start + at.x]);
    for (var y = rows.x; y < rows.y; y++) {
        for (var x = cols.x; x < cols.y; x++) {
            let value = from_wide(input[start + y * p.w + x]);
            let better = beats(value, most);
            most = select(most, value, better);
            at = select(at, vec4<u32>(y * p.w + x), better);
        }
    }
    return at;
}
