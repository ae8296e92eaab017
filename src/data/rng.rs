//! Random numbers that depend on their address, not on history.
//!
//! A [`Rng`] is a 64-bit key and a counter: the n-th draw is a hash of both. The key comes from a seed, the name of a
//! stream and any numbers (epoch, sample …), so what a sample is given depends neither on the thread that draws nor
//! on where a run was taken up again.

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finishing step of splitmix64: a bijection of `u64` that mixes every bit.
#[must_use]
pub const fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// A 64-bit hash of a text (FNV-1a, then mixed): the same on every machine and in every version.
#[must_use]
pub const fn hash_text(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut hash = 0xCBF2_9CE4_8422_2325u64;
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0000_0100_0000_01B3);
        i += 1;
    }
    mix(hash)
}

/// A counter-based generator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rng {
    key: u64,
    counter: u64,
}

impl Rng {
    /// The generator of `stream` under `seed`, addressed by `parts` (their order matters).
    #[must_use]
    pub fn new(seed: u64, stream: &str, parts: &[u64]) -> Self {
        let start = mix(seed ^ GOLDEN) ^ hash_text(stream);
        let key = parts.iter().fold(mix(start), |key, &part| mix(key.wrapping_add(GOLDEN) ^ mix(part ^ GOLDEN)));
        Self { key, counter: 0 }
    }

    /// The value at `counter`, whatever was drawn before.
    #[must_use]
    pub const fn at(&self, counter: u64) -> u64 {
        mix(mix(self.key.wrapping_add(counter.wrapping_add(1).wrapping_mul(GOLDEN))) ^ self.key)
    }

    /// The next 64 bits.
    pub const fn next_u64(&mut self) -> u64 {
        let value = self.at(self.counter);
        self.counter = self.counter.wrapping_add(1);
        value
    }

    /// Uniform in [0, 1).
    #[expect(clippy::cast_precision_loss, reason = "24 bits fit an f32 exactly")]
    pub fn unit(&mut self) -> f32 {
        (self.next_u64() >> 40) as f32 * (1.0 / 16_777_216.0)
    }

    /// Uniform in [low, high).
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Uniform in [-reach, reach).
    pub fn around(&mut self, reach: f32) -> f32 {
        self.range(-reach, reach)
    }

    /// Uniform in the logarithm between two positive bounds: half of the draws lie below their geometric mean.
    pub fn log_range(&mut self, low: f32, high: f32) -> f32 {
        self.range(low.ln(), high.ln()).exp()
    }

    /// Whether an event of this probability happens.
    pub fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// A whole number below `bound`; 0 for a bound of 0.
    pub fn below(&mut self, bound: usize) -> usize {
        // The high half of a 64 × 64-bit product: its bias, bound / 2^64, cannot be seen.
        ((u128::from(self.next_u64()) * bound as u128) >> 64) as usize
    }

    /// A whole number from `low` to `high`, both included.
    pub fn count(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// Roughly normal, mean 0, deviation 1: the sum of four uniform numbers from one draw, so never beyond ±3.47.
    #[expect(clippy::cast_precision_loss, reason = "the sum has 18 bits")]
    pub fn normal(&mut self) -> f32 {
        let bits = self.next_u64();
        let sum = (bits & 0xFFFF) + ((bits >> 16) & 0xFFFF) + ((bits >> 32) & 0xFFFF) + (bits >> 48);
        (sum as f32 - 131_070.0) * (1.732_050_8 / 65_536.0)
    }

    /// One of `choices`; `None` where there are none.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        choices.get(self.below(choices.len()))
    }

    /// A permutation of 0..len (Fisher–Yates).
    pub fn permutation(&mut self, len: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..len).collect();
        for i in (1..len).rev() {
            order.swap(i, self.below(i + 1));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_depends_on_its_address_only() {
        let mut a = Rng::new(7, "augment", &[3, 11]);
        let fresh = a.clone();
        let drawn: Vec<u64> = (0..10).map(|_| a.next_u64()).collect();
        assert_eq!((0..10).map(|i| fresh.at(i)).collect::<Vec<_>>(), drawn);
        for other in
            [Rng::new(8, "augment", &[3, 11]), Rng::new(7, "phantom", &[3, 11]), Rng::new(7, "augment", &[11, 3])]
        {
            assert_ne!(other.at(0), drawn[0]);
        }
    }

    #[test]
    fn the_stream_is_fixed_for_ever() {
        // Checkpoints count on it: a change here changes what a resumed run sees.
        assert_eq!(mix(1), 0x5692_161D_100B_05E5);
        let mut a = Rng::new(0, "a", &[]);
        let mut b = Rng::new(0, "a", &[]);
        assert_eq!(a.next_u64(), b.next_u64());
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut rng = Rng::new(1, "moments", &[]);
        let n = 100_000;
        let (mut mean, mut normal, mut square) = (0.0f64, 0.0f64, 0.0f64);
        for _ in 0..n {
            mean += f64::from(rng.unit());
            let x = f64::from(rng.normal());
            normal += x;
            square += x * x;
        }
        let n = f64::from(n);
        assert!((mean / n - 0.5).abs() < 0.005);
        assert!((normal / n).abs() < 0.015);
        assert!((square / n - 1.0).abs() < 0.02);
    }

    #[test]
    fn bounds_hold() {
        let mut rng = Rng::new(2, "bounds", &[]);
        assert_eq!(rng.below(0), 0);
        assert!((0..1000).all(|_| rng.below(3) < 3));
        assert!((0..1000).all(|_| (2..=4).contains(&rng.count(2, 4))));
        let mut order = rng.permutation(101);
        assert_ne!(order, (0..101).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..101).collect::<Vec<_>>());
    }
}
