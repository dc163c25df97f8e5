//! Which known word was probably meant.

/// The most characters of words that are compared.
const CHARS_MAX: usize = 64;

/// The nearest of the known words, when it is near: one slip in a short word, two in a longer one.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    within(word, known, if word.chars().count() <= 4 { 1 } else { 2 })
}

/// The known word that is one slip away.
pub(crate) fn next_to<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    within(word, known, 1)
}

fn within<'a>(word: &str, known: impl IntoIterator<Item = &'a str>, slips_max: usize) -> Option<&'a str> {
    known
        .into_iter()
        .filter(|candidate| *candidate != word)
        .map(|candidate| (slips(word, candidate), candidate))
        .filter(|(slips, _)| *slips <= slips_max)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many characters have to be changed, put in, taken out or swapped with their neighbour.
fn slips(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > 2 || a.len().max(b.len()) > CHARS_MAX {
        return usize::MAX;
    }
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
            let mut least = (at(&last, j) + usize::from(!x.eq_ignore_ascii_case(y)))
                .min(at(&last, j + 1) + 1)
                .min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                least = least.min(at(&before_last, j - 1) + 1);
            }
            row.push(least);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_seen_through_and_a_stranger_is_not() {
        let known = ["severity", "cluster", "team"];
        assert_eq!(nearest("severty", known), Some("severity"));
        assert_eq!(nearest("clutser", known), Some("cluster"));
        assert_eq!(nearest("Team", known), Some("team"));
        assert_eq!(nearest("namespace", known), None);
        assert_eq!(nearest("tame", ["team"]), None, "a short word has room for one slip");
    }
}
