//! BM25: how much a term says about a document.

/// The two constants of BM25.
///
/// The defaults, and the field weights that go with them, were chosen on public operations texts (runbooks,
/// alert handbooks, incident reports, FAQs in English and Chinese).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bm25 {
    /// How fast the tenth occurrence of a term says less than the first.
    pub k1: f32,
    /// How much a long document must say a term more often: 0 not at all, 1 in proportion.
    pub b: f32,
}

impl Default for Bm25 {
    fn default() -> Self {
        Self { k1: 1.5, b: 0.9 }
    }
}

impl Bm25 {
    /// What one document among `documents` says by holding a term that `holders` of them hold. Never negative.
    #[expect(clippy::cast_precision_loss, reason = "a rank needs seven digits")]
    pub fn rarity(documents: u64, holders: u64) -> f32 {
        let (documents, holders) = (documents.max(holders) as f32, holders as f32);
        (1.0 + (documents - holders + 0.5) / (holders + 0.5)).ln()
    }

    /// The resistance of a document of this length where `mean` is usual; see [`Self::saturation`].
    pub fn resistance(self, length: f32, mean: f32) -> f32 {
        self.k1 * (1.0 - self.b + self.b * length / mean.max(1.0))
    }

    /// The share of a term's rarity that a document earns: 0 for no occurrence, towards 1 for many.
    pub fn saturation(frequency: f32, resistance: f32) -> f32 {
        frequency / (frequency + resistance)
    }
}

/// A document's length in one byte, true to about 3 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LengthCode(pub u8);

impl LengthCode {
    /// Steps for each doubling of the length.
    const STEPS: f32 = 12.0;

    /// The code of a length in weighted terms; lengths above two million share the last code.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the code is an approximation, and the conversion saturates"
    )]
    pub fn of(length: u32) -> Self {
        Self(((1.0 + length as f32).log2() * Self::STEPS).round() as u8)
    }

    /// The length that stands for this code.
    pub fn length(self) -> f32 {
        (f32::from(self.0) / Self::STEPS).exp2() - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_survives_its_code_within_a_few_percent() {
        for length in [1_u16, 10, 100, 777, 5_000, 60_000] {
            let read = LengthCode::of(length.into()).length();
            assert!((read / f32::from(length) - 1.0).abs() < 0.035, "{length} became {read}");
        }
        assert_eq!(LengthCode::of(0).length(), 0.0);
    }

    #[test]
    fn rare_terms_more_occurrences_and_short_documents_say_more() {
        let bm25 = Bm25::default();
        assert!(Bm25::rarity(1000, 1) > Bm25::rarity(1000, 500));
        assert!(Bm25::rarity(10, 10) > 0.0);
        let (short, long) = (bm25.resistance(50.0, 100.0), bm25.resistance(200.0, 100.0));
        assert!(Bm25::saturation(1.0, short) > Bm25::saturation(1.0, long));
        assert!(Bm25::saturation(2.0, long) > Bm25::saturation(1.0, long));
    }
}
