//! Values that a name, an index and a seed give: the reference cases' weights and inputs.

/// Values in [-1, 1), exact in f32: SplitMix64's finish (Steele, Lea, Flood 2014) of (FNV-1a of `name` XOR `seed`) at
/// each flat index.
#[must_use]
pub fn hashed(name: &str, len: usize, seed: u64) -> Vec<f32> {
    let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    let start = name.bytes().fold(0xCBF2_9CE4_8422_2325, fnv) ^ seed;
    let value = |index: u64| {
        let mut z = start.wrapping_add((index + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        (2.0 * ((z >> 40) as f64 / f64::from(1u32 << 24)) - 1.0) as f32
    };
    (0..len as u64).map(value).collect()
}
