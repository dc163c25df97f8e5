//! Names: what a thing is called, compared as one whole.

use crate::fold::{Class, Glyph, fold};
use crate::{Analyzer, TermKind};

/// Longest name, in bytes once it is folded.
const NAME_BYTES_MAX: usize = 128;
/// Fewest parts of an identifier that is a name wherever it stands.
const LONG_PARTS_MIN: usize = 3;
/// Most names that are looked for in one query.
pub const QUERY_NAMES_MAX: usize = 128;

/// A name as it is compared: its letters, digits and CJK characters, folded. What parts or joins them is left
/// out, so that `KubePodCrashLooping`, `kube-pod-crash-looping` and `Kube pod crash looping` are one name.
///
/// `None` for a text without any, and for one that is longer than a name.
pub fn name(text: &str) -> Option<String> {
    let mut whole = Gathered::default();
    fold(text, |glyph| whole.push(&glyph));
    whole.into_name()
}

/// Whether `text` is one identifier of several parts, as alerts are named: `TargetDown`, but not `Down` and
/// not `target down`.
pub fn is_identifier(text: &str) -> bool {
    let text = text.trim();
    let mut whole = false;
    Analyzer::new().analyze(text, |term| {
        whole |= term.kind == TermKind::Reading && term.range == (0..text.len());
    });
    whole
}

/// What `text` may name: all of it, what stands between two marks such as quotes or line ends, and its long
/// identifiers wherever they stand.
///
/// A short identifier within a sentence is no name, for products are called so: `GitLab`, `PostgreSQL`. And a word
/// that is written small is a word, unless it is all of the text.
pub(crate) fn names(text: &str) -> Vec<Box<str>> {
    let mut found = Vec::new();
    let (mut word, mut piece, mut whole) = (Gathered::default(), Gathered::default(), Gathered::default());
    fold(text, |glyph| {
        if glyph.class != Class::Break {
            for gathered in [&mut word, &mut piece, &mut whole] {
                gathered.push(&glyph);
            }
            return;
        }
        add_word(&mut found, &mut word, &mut piece);
        if glyph.ch != ' ' {
            add_piece(&mut found, &mut piece);
        }
    });
    add_word(&mut found, &mut word, &mut piece);
    add_piece(&mut found, &mut piece);
    add(&mut found, whole);
    found
}

fn add_word(found: &mut Vec<Box<str>>, word: &mut Gathered, piece: &mut Gathered) {
    let word = std::mem::take(word);
    piece.words += usize::from(!word.name.is_empty());
    piece.before = None;
    if word.parts >= LONG_PARTS_MIN {
        add(found, word);
    }
}

fn add_piece(found: &mut Vec<Box<str>>, piece: &mut Gathered) {
    let piece = std::mem::take(piece);
    if piece.words > 1 || piece.marked {
        add(found, piece);
    }
}

fn add(found: &mut Vec<Box<str>>, gathered: Gathered) {
    let name = gathered.into_name().filter(|name| name.chars().nth(1).is_some());
    let name = name.filter(|name| !found.iter().any(|known| **known == **name));
    if found.len() < QUERY_NAMES_MAX {
        found.extend(name.map(String::into_boxed_str));
    }
}

/// Characters of one name.
#[derive(Default)]
struct Gathered {
    name: String,
    /// How many words.
    words: usize,
    /// How many parts the case, joints and CJK characters make of it.
    parts: usize,
    /// Something in it tells it from a word: a capital, a digit, a CJK character, or a joint inside.
    marked: bool,
    before: Option<Class>,
    /// So many characters of one class stand together at its end.
    alike: usize,
    too_long: bool,
}

impl Gathered {
    fn push(&mut self, glyph: &Glyph) {
        let (before, class) = (self.before, glyph.class);
        if matches!(class, Class::Break | Class::Joint) {
            self.before = before.map(|_| class);
            return;
        }
        self.parts += usize::from(self.begins_part(class));
        self.marked |= class != Class::Lower || before == Some(Class::Joint);
        self.alike = if before == Some(class) { self.alike + 1 } else { 1 };
        self.before = Some(class);
        self.too_long |= self.name.len() + glyph.ch.len_utf8() > NAME_BYTES_MAX;
        if !self.too_long {
            self.name.push(glyph.ch);
        }
    }

    /// Whether a character of this class begins a part: of CJK characters every second one, and of several
    /// capitals the last, which belongs to the small letters behind it.
    fn begins_part(&self, class: Class) -> bool {
        match (self.before, class) {
            (Some(Class::Cjk), Class::Cjk) => self.alike.is_multiple_of(2),
            (None | Some(Class::Joint | Class::Cjk | Class::Break), _) | (_, Class::Cjk) => true,
            (Some(before), Class::Upper) => before != Class::Upper,
            (Some(Class::Upper), Class::Lower) => self.alike > 1,
            (Some(Class::Lower | Class::Upper | Class::Digit), _) => false,
        }
    }

    fn into_name(self) -> Option<String> {
        let named = !self.too_long && self.name.chars().any(|c| !c.is_numeric());
        named.then_some(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(text: &str, name: &str) -> bool {
        names(text).iter().any(|found| **found == *name)
    }

    #[test]
    fn a_name_is_the_same_however_its_parts_are_joined() {
        for text in [
            "KubePodCrashLooping",
            "kube-pod-crash-looping",
            "Kube pod crash_looping",
            "ＫubePodCrashLooping",
        ] {
            assert_eq!(name(text).as_deref(), Some("kubepodcrashlooping"), "{text}");
        }
        assert_eq!(name("主機CPU使用率過高").as_deref(), Some("主机cpu使用率过高"));
        assert_eq!(name("503, 504"), None);
        assert_eq!(name(&"x".repeat(NAME_BYTES_MAX)), Some("x".repeat(NAME_BYTES_MAX)));
        assert_eq!(name(&"x".repeat(NAME_BYTES_MAX + 1)), None);
    }

    #[test]
    fn an_identifier_has_several_parts_and_nothing_beside_them() {
        for text in ["TargetDown", " etcdNoLeader\n", "node_filesystem_full", "CPUThrottlingHigh"] {
            assert!(is_identifier(text), "{text}");
        }
        for text in ["", "Down", "nacos", "TargetDown again", "Latency diagnosis", "磁盘空间"] {
            assert!(!is_identifier(text), "{text}");
        }
    }

    #[test]
    fn names_are_found_wherever_an_alert_carries_them() {
        for text in [
            "KubePodCrashLooping",
            "kubepodcrashlooping",
            "[FIRING:1] KubePodCrashLooping (payments-api warning)",
            r#"{"labels":{"alertname":"KubePodCrashLooping","severity":"warning"}}"#,
            "what does kube-pod-crash-looping mean?",
        ] {
            assert!(has(text, "kubepodcrashlooping"), "{text}");
        }
        assert!(has("alertname=\"High CPU usage\", pod=x", "highcpuusage"));
        assert!(has("告警 主机CPU使用率过高 请处理", "主机cpu使用率过高"));
    }

    #[test]
    fn a_short_name_stands_alone() {
        for text in
            ["TargetDown", "TargetDown\nsome targets are down", "alertname=TargetDown", "(TargetDown)"]
        {
            assert!(has(text, "targetdown"), "{text}");
        }
        assert!(!has("why is TargetDown firing?", "targetdown"));
        assert!(!has("GitLab cannot reach PostgreSQL any more", "gitlab"));
    }

    #[test]
    fn parts_are_counted_as_they_are_written() {
        for (text, parts) in [
            ("TargetDown", 2),
            ("PostgreSQL", 2),
            ("KubeAPIDown", 3),
            ("CPUThrottlingHigh", 3),
            ("etcdNoLeader", 3),
            ("node_filesystem_full.", 3),
            ("node01", 1),
            ("磁盘空间不足", 3),
            ("主机CPU使用率", 4),
        ] {
            let mut gathered = Gathered::default();
            fold(text, |glyph| gathered.push(&glyph));
            assert_eq!(gathered.parts, parts, "{text}");
        }
    }

    #[test]
    fn words_are_no_names() {
        assert!(!has("the target is \"down\" again", "down"));
        assert!(!has("it failed. --force.", "force"));
        assert!(!has("since 2024, A 10.0", "2024"));
    }

    #[test]
    fn a_query_has_so_many_names_at_most() {
        let text: String = (0..2 * QUERY_NAMES_MAX).map(|n| format!("Alert{n},")).collect();
        assert_eq!(names(&text).len(), QUERY_NAMES_MAX);
    }
}
