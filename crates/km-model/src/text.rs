//! Text within a limit.

/// What stands at the end of a text that was cut.
pub const CUT: &str = "…[cut]";

/// The longest beginning of `text` that has at most `max` bytes with [`CUT`] behind it; the text itself if it is
/// short enough.
pub fn fit(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    cut_at(text, max.saturating_sub(CUT.len()))
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
}
