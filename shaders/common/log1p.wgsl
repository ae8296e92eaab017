// ln(1 + e) for e from 0 to 1, to the last bits also where 1 + e rounds to 1: 2 artanh(e / (2 + e)) as its series,
// whose argument is at most 1/3. Compilers may undo the usual correction by (1 + e) - 1, but not this.
fn log1p(e: f32) -> f32 {
    let s = e / (2.0 + e);
    let z = s * s;
    let tail = 1.0 / 7.0 + z * (1.0 / 9.0 + z * (1.0 / 11.0 + z * (1.0 / 13.0 + z * (1.0 / 15.0))));
    return 2.0 * s * (1.0 + z * (1.0 / 3.0 + z * (1.0 / 5.0 + z * tail)));
}

fn log1p4(e: vec4<f32>) -> vec4<f32> {
    let s = e / (2.0 + e);
    let z = s * s;
    let tail = 1.0 / 7.0 + z * (1.0 / 9.0 + z * (1.0 / 11.0 + z * (1.0 / 13.0 + z * (1.0 / 15.0))));
    return 2.0 * s * (1.0 + z * (1.0 / 3.0 + z * (1.0 / 5.0 + z * tail)));
}
