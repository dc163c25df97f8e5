//! Text within a limit.

/// What stands at the end of a text that was cut.
pub const CUT: &str = "…[cut]";

/// The longest word that a cut leaves out rather than cuts in two.
const WORD_MAX: usize = 256;

/// A beginning of `text` that has at most `max` bytes with [`CUT`] behind it; the text itself if it is short enough.
/// It ends before a word where it can: half a credential would not be known for one.
pub fn fit(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let keep = text.floor_char_boundary(max.saturating_sub(CUT.len()));
    let word = text[..keep].rfind(char::is_whitespace).filter(|at| keep - at <= WORD_MAX);
    cut_at(text, word.unwrap_or(keep))
}

/// The first `keep` bytes of a text, or fewer to end on a character's edge, and [`CUT`].
pub fn cut_at(text: &str, keep: usize) -> String {
    format!("{}{CUT}", &text[..text.floor_char_boundary(keep)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_on_the_edge_of_a_character_one_byte_past_the_limit() {
        assert_eq!(fit("磁盘已满", 12), "磁盘已满");
        assert_eq!(fit("磁盘已满!", 12), "磁…[cut]");
    }

    #[test]
    fn a_word_is_left_out_rather_than_cut_in_two() {
        assert_eq!(fit("disk full on db-1", 16), "disk…[cut]");
        assert_eq!(fit(&format!("a {}", "b".repeat(400)), 300).len(), 300);
    }
}
