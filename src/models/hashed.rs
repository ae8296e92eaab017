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

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected values are those of `hashed` in the reference cases' own script, as f32.
    #[test]
    fn the_values_are_those_of_the_cases_script() {
        let cases: &[(&str, u64, &[f32])] = &[
            ("input", 1, &[-0.558_977, 0.836_826_8, 0.444_053_4, -0.134_695_89, -0.798_670_4, 0.803_022_27]),
            ("down.0.conv1.weight", 1, &[-0.385_652_42, -0.735_229_13, 0.423_807_02, -0.112_324_12]),
            ("head.bias", 77, &[-0.303_989_65, -0.005_867_123_6, -0.303_213_24]),
            ("", 0, &[0.527_389_05, -0.874_607_8]),
            ("ü", (1 << 63) + 5, &[0.664_413_6, 0.892_238_6]),
        ];
        for (name, seed, expected) in cases {
            assert_eq!(hashed(name, expected.len(), *seed), *expected, "{name:?}");
        }
        let long = hashed("up.3.conv2.weight", 100_000, 9);
        let sum: f64 = long.iter().map(|&v| f64::from(v)).sum();
        assert!((sum + 230.188_201_308_250_43).abs() < 1e-6, "{sum}");
        assert_eq!(long[99_999], 0.091_177_94);
    }
}
