//! Chance that a seed decides, so that a run can be made again.

use std::time::Duration;

/// A stream of numbers: splitmix64, good enough to choose instants and words.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Equal seeds give equal streams.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A stream of its own for `who`, so that how far one comes does not change what another does.
    pub(crate) const fn of(seed: u64, who: u64) -> Self {
        let mut dice = Self(seed ^ who.wrapping_mul(0xd6e8_feb8_6659_fd93));
        dice.0 = dice.roll();
        dice
    }

    const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 when there is none.
    pub(crate) const fn below(&mut self, bound: u64) -> u64 {
        match bound {
            0 => 0,
            bound => self.roll() % bound,
        }
    }

    /// A number from `low` to `high`, both included.
    pub(crate) const fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// Whether something with this many chances in a hundred happens.
    pub(crate) const fn percent(&mut self, chances: u64) -> bool {
        self.below(100) < chances
    }

    /// An instant from now, to the microsecond.
    pub(crate) const fn within(&mut self, low_ms: u64, high_ms: u64) -> Duration {
        Duration::from_micros(self.between(low_ms * 1_000, high_ms * 1_000))
    }

    /// A place in a list of `len` things.
    pub(crate) fn place(&mut self, len: usize) -> usize {
        let bound = u64::try_from(len).unwrap_or(u64::MAX);
        usize::try_from(self.below(bound)).unwrap_or_default()
    }

    /// One of `things`, which are not empty.
    pub(crate) fn one_of<T: Copy>(&mut self, things: &[T]) -> T {
        things[self.place(things.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_stream_and_another_gives_another() {
        let stream = |mut dice: Dice| (0..8).map(|_| dice.below(1_000)).collect::<Vec<_>>();
        assert_eq!(stream(Dice::of(7, 1)), stream(Dice::of(7, 1)));
        assert_ne!(stream(Dice::of(7, 1)), stream(Dice::of(7, 2)));
        assert_ne!(stream(Dice::new(7)), stream(Dice::new(8)));
    }

    #[test]
    fn bounds_are_kept() {
        let mut dice = Dice::new(1);
        assert!((0..1_000).all(|_| (3..=5).contains(&dice.between(3, 5))));
        assert_eq!(dice.below(0), 0);
    }
}
