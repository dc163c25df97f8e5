//! The fields of a document, what they weigh, and the terms a document gives the index: those of its text, its
//! names, and the properties that filters ask for.

use km_search::{Analyzer, LengthCode, TermKind, is_identifier, name};

use super::{Document, Filter};

/// How many fields there are.
pub(super) const FIELDS: usize = 3;
/// How often each field of a document holds a term, by [`Field`].
pub(super) type Frequencies = [u32; FIELDS];

/// Where in a document a term stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// The title.
    Title,
    /// The content.
    Content,
    /// Ids, path, type, playbook, tags and the values of labels.
    Names,
}

impl Field {
    /// Every field, in the order in which frequencies are kept.
    pub const ALL: [Self; FIELDS] = [Self::Title, Self::Content, Self::Names];

    /// The name in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Content => "content",
            Self::Names => "names",
        }
    }

    /// How many occurrences in the content one in this field is worth.
    const fn weight(self) -> u32 {
        match self {
            Self::Title => 3,
            Self::Content => 1,
            Self::Names => 2,
        }
    }
}

/// The occurrences in all fields, each by its weight.
#[inline]
#[expect(clippy::cast_precision_loss, reason = "a rank needs seven digits")]
pub(super) fn weighted(frequencies: Frequencies) -> f32 {
    let [title, content, names] = frequencies;
    (title.saturating_mul(Field::Title.weight()) as f32)
        + (content as f32)
        + (names.saturating_mul(Field::Names.weight()) as f32)
}

/// Hands every term of a document's text to `sink`, with its field, and answers the document's length.
pub(super) fn text_terms(
    analyzer: &mut Analyzer,
    document: &Document<'_>,
    mut sink: impl FnMut(&[u8], Field),
) -> LengthCode {
    let mut length = 0_u32;
    let mut read = |text: &str, field: Field| {
        analyzer.analyze(text, |term| {
            let counts = matches!(term.kind, TermKind::Word | TermKind::Single);
            length = length.saturating_add(if counts { field.weight() } else { 0 });
            sink(term.text.as_bytes(), field);
        });
    };
    read(document.title, Field::Title);
    read(document.content, Field::Content);
    for name in names(document) {
        read(name, Field::Names);
    }
    LengthCode::of(length)
}

fn names<'a>(document: &'a Document<'a>) -> impl Iterator<Item = &'a str> {
    let ids = [document.incident_id, document.approval_id, document.playbook, document.entry_type];
    let labels = document.labels.values().map(String::as_str);
    let tags = document.tags.iter().map(String::as_str);
    [document.path].into_iter().chain(ids.into_iter().flatten()).chain(tags).chain(labels)
}

/// The label that carries an alert's name.
const ALERT_NAME: &str = "alertname";

/// What a document is called as a whole: the name of its alert, and a title that is one identifier. Folded; the
/// same name may come twice.
pub(super) fn document_names(document: &Document<'_>) -> impl Iterator<Item = String> {
    let title = Some(document.title).filter(|title| is_identifier(title));
    let alert = document.labels.get(ALERT_NAME).map(String::as_str);
    [title, alert].into_iter().flatten().filter_map(name)
}

/// The first byte of a term that is no word: no text in UTF-8 holds it.
const NO_WORD: u8 = 0xff;

/// The name of a document, as [`document_names`] gives it, in the dictionary.
pub(super) fn name_term(name: &str) -> Vec<u8> {
    [&[NO_WORD, b'n'], name.as_bytes()].concat()
}

/// A property that a filter asks for, as a term of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Property<'a> {
    Path(&'a str),
    EntryType(&'a str),
    Incident(&'a str),
    Approval(&'a str),
    Tag(&'a str),
    Label(&'a str, &'a str),
}

impl Property<'_> {
    /// The term in the dictionary.
    pub(super) fn term(self) -> Vec<u8> {
        let (kind, text, value) = match self {
            Self::Path(text) => (b'p', text, None),
            Self::EntryType(text) => (b'e', text, None),
            Self::Incident(text) => (b'i', text, None),
            Self::Approval(text) => (b'a', text, None),
            Self::Tag(text) => (b'g', text, None),
            Self::Label(text, value) => (b'l', text, Some(value)),
        };
        let mut term = vec![NO_WORD, kind];
        term.extend_from_slice(text.as_bytes());
        if let Some(value) = value {
            term.push(NO_WORD);
            term.extend_from_slice(value.as_bytes());
        }
        term
    }
}

/// The properties of a document that a filter can ask for.
pub(super) fn document_properties<'a>(document: &'a Document<'a>) -> impl Iterator<Item = Property<'a>> {
    let single = [
        Some(Property::Path(document.path)),
        document.entry_type.map(Property::EntryType),
        document.incident_id.map(Property::Incident),
        document.approval_id.map(Property::Approval),
    ];
    let tags = document.tags.iter().map(|tag| Property::Tag(tag));
    let labels = document.labels.iter().map(|(key, value)| Property::Label(key, value));
    single.into_iter().flatten().chain(tags).chain(labels)
}

/// The properties that a filter asks for: a document must have all of them.
pub(super) fn filter_properties(filter: &Filter) -> impl Iterator<Item = Property<'_>> {
    let single = [
        filter.path.as_deref().map(Property::Path),
        filter.entry_type.as_deref().map(Property::EntryType),
        filter.incident_id.as_deref().map(Property::Incident),
        filter.approval_id.as_deref().map(Property::Approval),
    ];
    let tags = filter.tags.iter().map(|tag| Property::Tag(tag));
    let labels = filter.labels.iter().map(|(key, value)| Property::Label(key, value));
    single.into_iter().flatten().chain(tags).chain(labels)
}
