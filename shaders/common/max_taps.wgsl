// The maximum of window `o` for four channels, `most`, and where it first stands, `tap`: ky * kw + kx. The {{ kh }} by {{ kw }} taps are
// written out: nothing is carried from turn to turn of a loop. Pixel 0 of the channels is the group `start` of `input`. Past the
// last window the values are those of some pixel.
        let corner = vec2<i32>(vec2<u32>(o.y * p.stride_y, o.x * p.stride_x)) - vec2<i32>(vec2<u32>(p.pad_y, p.pad_x));
        let last = vec2<i32>(vec2<u32>(p.h, p.w)) - 1;
        // Moved into the image, the first tap is the window's first pixel.
        let first = vec2<u32>(clamp(corner, vec2<i32>(0), last));
        let skipped = first - vec2<u32>(corner);
        var tap = vec4<f32>(f32(skipped.x * {{ kw }}u + skipped.y));
        var most = from_wide(input[start + first.x * p.w + first.y]);
{% for k in range(1, kh * kw) %}
        {
            let wanted = corner + vec2<i32>({{ k // kw }}, {{ k % kw }});
            let pixel = clamp(wanted, vec2<i32>(0), last);
            let value = from_wide(input[start + u32(pixel.x) * p.w + u32(pixel.y)]);
            let better = beats(value, most) & vec4<bool>(all(pixel == wanted));
            most = select(most, value, better);
            tap = select(tap, vec4<f32>({{ k }}.0), better);
        }
{% endfor %}
