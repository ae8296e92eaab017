// Places in C4 values (n, c, h, w): an element is a float, a group is the 16 bytes of four channels of a pixel.

struct Place { n: u32, c: u32, y: u32, x: u32 }

// a / b for a below 2^30. Software drivers divide whole numbers lane by lane, at the price of several loads; this is
// two guesses in f32, of which the second is at most one off.
fn quotient(a: u32, b: u32) -> u32 {
    let inverse = 1.0 / f32(b);
    let guess = u32(i32(f32(i32(a)) * inverse));
    let near = u32(i32(guess) + i32(floor(f32(i32(a - guess * b)) * inverse)));
    let rest = i32(a - near * b);
    return near + select(0u, 1u, rest >= i32(b)) - select(0u, 1u, rest < 0);
}

// Where the i-th group of sample n stands; c is the channel of its first lane.
fn group_place(n: u32, i: u32, h: u32, w: u32) -> Place {
    let row = quotient(i, w);
    let group = quotient(row, h);
    return Place(n, group * 4u, row - group * h, i - row * w);
}

// Where the i-th float of sample n stands; in a pad lane c is no channel.
fn place(n: u32, i: u32, h: u32, w: u32) -> Place {
    let group = group_place(n, i / 4u, h, w);
    return Place(n, group.c + i % 4u, group.y, group.x);
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
