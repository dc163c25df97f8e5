//! The two committed tables of Chinese: characters that fold, and words that differ by region.

use std::collections::HashMap;
use std::sync::LazyLock;

const CHARACTERS: &str = include_str!("../data/traditional.txt");
const WORDS: &str = include_str!("../data/regional.txt");

const BMP_FIRST: u32 = 0x3400;
const BMP_LAST: u32 = 0x9fff;

/// Longest word of the regional table, in characters.
pub(crate) const REGIONAL_CHARS_MAX: usize = 12;

struct Simplified {
    /// Indexed by code point from [`BMP_FIRST`]; `'\0'` folds to itself.
    bmp: Box<[char]>,
    /// Characters elsewhere, sorted.
    others: Vec<(char, char)>,
}

static SIMPLIFIED: LazyLock<Simplified> = LazyLock::new(Simplified::load);
static REGIONAL: LazyLock<HashMap<&'static str, Vec<&'static str>>> = LazyLock::new(load_regional);

impl Simplified {
    fn load() -> Self {
        let mut bmp = vec!['\0'; (BMP_LAST - BMP_FIRST + 1) as usize].into_boxed_slice();
        let mut others = Vec::new();
        for line in lines(CHARACTERS) {
            let mut characters = line.chars();
            let Some(target) = characters.next() else { continue };
            for source in characters {
                match bmp_index(source) {
                    Some(index) => bmp[index] = target,
                    None => others.push((source, target)),
                }
            }
        }
        others.sort_unstable();
        Self { bmp, others }
    }
}

fn load_regional() -> HashMap<&'static str, Vec<&'static str>> {
    let mut words: HashMap<_, Vec<_>> = HashMap::new();
    for (taiwan, mainland) in lines(WORDS).filter_map(|line| line.split_once(' ')) {
        words.entry(taiwan).or_default().push(mainland);
        words.entry(mainland).or_default().push(taiwan);
    }
    words
}

fn lines(table: &'static str) -> impl Iterator<Item = &'static str> {
    table.lines().filter(|line| !line.starts_with('#'))
}

fn bmp_index(c: char) -> Option<usize> {
    let code = u32::from(c);
    (BMP_FIRST..=BMP_LAST).contains(&code).then(|| (code - BMP_FIRST) as usize)
}

/// The simplified character that `c` is compared as; most characters are their own.
pub(crate) fn simplified(c: char) -> char {
    if u32::from(c) < BMP_FIRST {
        return c;
    }
    let table = &*SIMPLIFIED;
    match bmp_index(c) {
        Some(index) if table.bmp[index] == '\0' => c,
        Some(index) => table.bmp[index],
        None => table.others.binary_search_by_key(&c, |pair| pair.0).map_or(c, |found| table.others[found].1),
    }
}

/// The words other regions use for `word`, which is folded already.
pub(crate) fn regional(word: &str) -> &'static [&'static str] {
    REGIONAL.get(word).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_a_character_twice_changes_nothing_more() {
        for code in BMP_FIRST..0x3_0000 {
            let Some(c) = char::from_u32(code) else { continue };
            assert_eq!(simplified(simplified(c)), simplified(c), "{c}");
        }
    }

    #[test]
    fn traditional_characters_fold() {
        let folded: String = "磁碟與記憶體裏裡臺".chars().map(simplified).collect();
        assert_eq!(folded, "磁碟与记忆体里里台");
    }

    #[test]
    fn regional_words_are_folded_known_in_both_directions_and_bounded() {
        assert!(regional("伺服器").contains(&"服务器"));
        assert!(regional("服务器").contains(&"伺服器"));
        for (word, others) in REGIONAL.iter() {
            assert!(word.chars().all(|c| simplified(c) == c), "{word}");
            assert!(word.chars().count() <= REGIONAL_CHARS_MAX && !others.is_empty(), "{word}");
        }
    }
}
