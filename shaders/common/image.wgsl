// Places in C4 values (n, c, h, w): an element is a float, a group is the 16 bytes of four channels of a pixel.

struct Place { n: u32, c: u32, y: u32, x: u32 }

// Where the i-th group of an output stands; c is the channel of its first lane.
fn group_place(i: u32, c: u32, h: u32, w: u32) -> Place {
    let groups = (c + 3u) / 4u;
    let row = i / w;
    let plane = row / h;
    let n = plane / groups;
    return Place(n, (plane - n * groups) * 4u, row - plane * h, i - row * w);
}

// Where the i-th float of an output stands; in a pad lane c is no channel.
fn place(i: u32, c: u32, h: u32, w: u32) -> Place {
    let group = group_place(i / 4u, c, h, w);
    return Place(group.n, group.c + i % 4u, group.y, group.x);
}

// The float that holds (n, c, y, x) in a value that starts at `base`, with `stride` floats a sample.
fn float_at(base: u32, stride: u32, h: u32, w: u32, n: u32, c: u32, y: u32, x: u32) -> u32 {
    return base + n * stride + ((c / 4u * h + y) * w + x) * 4u + c % 4u;
}

// The group that holds pixel 0 of the channels from c on.
fn group_at(base: u32, stride: u32, h: u32, w: u32, n: u32, c: u32) -> u32 {
    return (base + n * stride) / 4u + c / 4u * h * w;
}

// The value with exact zeros in the lanes that are no channel.
fn keep(value: vec4<f32>, first: u32, c: u32) -> vec4<f32> {
    return select(vec4<f32>(0.0), value, vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(c));
}
