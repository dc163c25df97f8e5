//! English words: which carry no meaning, and what a word is without its endings.

use foldhash::{HashMap, HashMapExt};
use rust_stemmers::{Algorithm, Stemmer};

/// Most stems that are remembered; when full, remembering starts afresh.
const STEMS_MAX: usize = 16_384;
/// Longest part of a word that is told apart, in bytes.
pub(crate) const WORD_BYTES_MAX: usize = 96;

/// Sorted, for the binary search.
const STOP_WORDS: [&str; 57] = [
    "a", "an", "and", "are", "as", "at", "be", "been", "but", "by", "can", "could", "did", "do", "does",
    "for", "from", "had", "has", "have", "if", "in", "into", "is", "it", "its", "may", "might", "no", "not",
    "of", "on", "or", "our", "should", "so", "such", "than", "that", "the", "their", "then", "there",
    "these", "they", "this", "to", "was", "we", "were", "when", "which", "will", "with", "would", "you",
    "your",
];

/// Whether `word`, folded, is an English word too common to be worth a term.
pub(crate) fn is_stop_word(word: &str) -> bool {
    word.len() <= 6 && STOP_WORDS.binary_search(&word).is_ok()
}

/// Stems words and remembers the answers, for the same words come again and again.
pub(crate) struct Stems {
    stemmer: Stemmer,
    known: HashMap<Box<str>, Box<str>>,
}

impl Stems {
    pub(crate) fn new() -> Self {
        Self { stemmer: Stemmer::create(Algorithm::English), known: HashMap::new() }
    }

    /// Replaces `word` by its stem: only English letters have one.
    pub(crate) fn stem(&mut self, word: &mut String) {
        cut(word, WORD_BYTES_MAX);
        if word.len() < 3 || !word.bytes().all(|byte| byte.is_ascii_lowercase()) {
            return;
        }
        if let Some(stem) = self.known.get(word.as_str()) {
            word.clear();
            word.push_str(stem);
            return;
        }
        let stem = self.stemmer.stem(word).into_owned();
        if self.known.len() == STEMS_MAX {
            self.known.clear();
        }
        self.known.insert(word.as_str().into(), stem.as_str().into());
        *word = stem;
    }
}

/// Shortens `text` to at most `bytes_max` bytes, at a character.
pub(crate) fn cut(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max));
    }
}
