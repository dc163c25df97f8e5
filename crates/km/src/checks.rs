//! The pages of the checks, compiled in: what is wrong, how it looks when it is right, and why.

/// A check that some room makes, by its stable code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Check {
    pub(crate) code: &'static str,
    /// The page, as Markdown: `docs/checks/<code>.md`.
    pub(crate) page: &'static str,
}

macro_rules! checks {
    ($($code:literal)+) => {
        /// Every check, ordered by code.
        pub(crate) const ALL: &[Check] = &[$(Check {
            code: $code,
            page: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/checks/", $code, ".md")),
        },)+];
    };
}

checks! {
    "AM001" "AM101" "AM102" "AM103" "AM104" "AM105" "AM106" "AM107"
    "AM108" "AM109" "AM110" "AM111" "AM201" "AM202" "AM203" "AM204"
    "AM205" "AM206" "AM207" "AM208" "AM301" "AM302" "AM303" "AM304"
    "AM305" "AM306" "AM307" "AM401" "AM501" "AM502" "AM503" "AM504"
    "AM505" "AM901" "AM902"
    "DR001" "DR002" "DR003" "DR004" "DR005" "DR006" "DR007" "DR008"
    "DR009" "DR010" "DR011" "DR012" "DR013" "DR014" "DR015" "DR016"
    "DR017" "DR018" "DR019" "DR020" "DR021"
    "SL001" "SL101" "SL102" "SL103" "SL104" "SL105" "SL106" "SL107"
}

impl Check {
    /// What is wrong, in words without data: the heading of the page.
    pub(crate) fn title(self) -> &'static str {
        let heading = self.page.lines().next().unwrap_or_default();
        heading.split_once(": ").map_or(heading, |(_, title)| title)
    }
}

/// The check with this code; letters of either case.
pub(crate) fn find(code: &str) -> Option<Check> {
    ALL.iter().copied().find(|check| check.code.eq_ignore_ascii_case(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_says_what_is_wrong_how_it_is_right_and_why() {
        for check in ALL {
            let (code, page) = (check.code, check.page);
            assert!(page.starts_with(&format!("# {code}: ")), "{code}: heading");
            for part in ["## What is wrong", "## Bad", "## Good", "## Why", "## Source"] {
                assert!(page.contains(&format!("\n{part}\n")), "{code}: {part}");
            }
        }
    }

    #[test]
    fn checks_are_ordered_and_found_in_either_case() {
        assert!(ALL.is_sorted_by(|a, b| a.code < b.code));
        assert_eq!(find("am101").map(|check| check.code), Some("AM101"));
        assert!(find("AM999").is_none());
    }
}
