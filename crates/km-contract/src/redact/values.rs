//! What a value is, by its look: a secret, or only something that stands where one could.

use super::names::says;

/// Whether nothing is told, or only where it is kept: code that fetches it, a list, a parenthesis.
pub(super) fn is_blank(value: &str) -> bool {
    is_nothing(value) || value.starts_with(['[', '(', '<']) || is_call(value)
}

/// Whether nothing is told: empty, masked, taken out before, a variable, a template.
pub(super) fn is_nothing(value: &str) -> bool {
    let bare = value.trim_matches(|c: char| c.is_ascii_punctuation() || c == '…');
    bare.is_empty()
        || value.starts_with("[redacted:")
        || is_elided(value)
        || is_word_for_nothing(bare)
        || is_variable(value)
        || is_template(value)
}

fn is_elided(value: &str) -> bool {
    value.starts_with('…') || value.starts_with("...") || value.starts_with("***") || is_crosses(value)
}

fn is_crosses(value: &str) -> bool {
    value.len() >= 2 && value.bytes().all(|byte| matches!(byte, b'x' | b'X'))
}

/// Words that stand for no value, or for one that is kept elsewhere.
const NOTHING: [&str; 16] = [
    "null",
    "none",
    "nil",
    "true",
    "false",
    "undefined",
    "empty",
    "yes",
    "no",
    "redacted",
    "removed",
    "hidden",
    "masked",
    "omitted",
    "string",
    "n/a",
];

fn is_word_for_nothing(bare: &str) -> bool {
    let begins_with_your = bare.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("your"));
    let is_yours = begins_with_your && !bare.as_bytes().get(4).is_some_and(u8::is_ascii_digit);
    is_yours || NOTHING.iter().any(|word| bare.eq_ignore_ascii_case(word))
}

/// `$NAME`, `${…}`, `$(…)`, `%NAME%`, `%s`; of lower-case names only those that name a secret, for `$ecret` is one.
fn is_variable(value: &str) -> bool {
    let Some(name) = value.strip_prefix('$') else {
        return value.len() <= 2 && value.starts_with('%')
            || is_enclosed(value, "%", "%")
            || is_enclosed(value, "%(", "s");
    };
    let name = name.trim_end_matches('$');
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let is_upper = !name.bytes().any(|byte| byte.is_ascii_lowercase());
    name.starts_with(['{', '(']) || is_name && (is_upper || says(name).is_some())
}

/// `<password>`, `{{ .Values.password }}`.
fn is_template(value: &str) -> bool {
    value.starts_with("{{")
        || value.starts_with("<%")
        || is_enclosed(value, "<", ">")
        || is_enclosed(value, "{", "}")
}

fn is_enclosed(value: &str, opening: &str, closing: &str) -> bool {
    value.len() > opening.len() + closing.len() && value.starts_with(opening) && value.ends_with(closing)
}

/// Code that fetches a value: `getpass()`, `os.environ[`, `self.password`, `Token::new`.
fn is_call(value: &str) -> bool {
    if let Some((function, arguments)) = value.split_once(['(', '[']) {
        let is_closed = arguments.is_empty() || arguments.ends_with([')', ']']);
        return is_closed && function.len() >= 3 && is_code_name(function);
    }
    let member = value.rsplit_once('.').filter(|(owner, _)| owner.len() >= 3 && is_code_name(owner));
    value.contains("::") && is_code_name(value) || member.is_some_and(|(_, member)| says(member).is_some())
}

fn is_code_name(name: &str) -> bool {
    let begins_with_letter = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins_with_letter
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':'))
}

/// `/…`, `./…`, `~/…`, `C:\…`.
pub(super) fn is_rooted(value: &str) -> bool {
    let bytes = value.as_bytes();
    let on_drive = bytes.len() > 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' && bytes[2] == b'\\';
    on_drive || ["/", "./", "../", "~/"].iter().any(|root| value.starts_with(root))
}

/// A rooted path whose parts are words: a Base64 text can begin with a slash too.
pub(super) fn is_path(value: &str) -> bool {
    let mut parts = value.split(['/', '\\', '.', '_', '-', '~', ':']).filter(|part| !part.is_empty());
    is_rooted(value) && parts.all(|part| is_word(part) || is_numbered(part))
}

/// `scheme://…`; whether a password stands in it is another question.
pub(super) fn is_address(value: &str) -> bool {
    let Some((scheme, _)) = value.split_once("://") else { return false };
    !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+.-".contains(&byte))
}

/// Ends of the names of files that hold keys.
const FILES: [&str; 12] =
    ["key", "pem", "crt", "cer", "p12", "pfx", "jks", "json", "yaml", "yml", "txt", "conf"];

/// The name of a file.
pub(super) fn is_file(value: &str) -> bool {
    value.rsplit_once('.').is_some_and(|(_, end)| FILES.contains(&end)) && is_name(value)
}

/// What prose can say behind `password:` without telling one: `see-the-vault`, `required!`, `12-chars`, `90d`.
pub(super) fn is_prose(value: &str) -> bool {
    let mut parts = parts(value.trim_end_matches(['!', '?']), BETWEEN_WORDS);
    let is_plain = |part: &str| part.len() < LONG_WORD && is_letters(part);
    let first_is_plain = parts.next().is_none_or(|first| is_plain(first) || is_small_number(first));
    let is_range = is_small_number(value.split(BETWEEN_WORDS).next().unwrap_or_default());
    is_date(value) || first_is_plain && parts.all(|part| is_plain(part) || is_range && is_small_number(part))
}

/// Digits with separators between them.
fn is_date(value: &str) -> bool {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    value.len() - digits >= 2
        && digits >= 4
        && value.bytes().all(|byte| byte.is_ascii_digit() || b"-:./TZ".contains(&byte))
}

/// Letters in a row, from which on they are no word.
const LONG_WORD: usize = 16;

fn is_letters(part: &str) -> bool {
    part.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn is_small_number(value: &str) -> bool {
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    (1..=3).contains(&digits)
        && value.len() <= digits + 2
        && value.bytes().skip(digits).all(|b| b.is_ascii_alphabetic() || b"+%".contains(&b))
}

/// Whether a value is random enough to be a secret where a name could stand as well.
pub(super) fn is_opaque(value: &str) -> bool {
    let has_digit = value.bytes().any(|byte| byte.is_ascii_digit());
    let is_text = value.bytes().all(|byte| byte.is_ascii_graphic());
    value.len() >= 8
        && is_text
        && (has_digit || is_padded(value) || is_scrambled(value))
        && !is_blank(value)
        && !is_path(value)
        && !is_address(value)
        && !is_number(value)
        && !is_name(value)
        && !value.contains('(')
        // The secret in it was taken out before.
        && !value.contains("[redacted:")
}

fn is_padded(value: &str) -> bool {
    value.ends_with('=') && value.len().is_multiple_of(4)
}

/// Letters that change between the cases more often than those of words do.
fn is_scrambled(value: &str) -> bool {
    let is_change = |pair: &&[u8]| {
        pair.iter().all(u8::is_ascii_alphabetic)
            && pair[0].is_ascii_lowercase() != pair[1].is_ascii_lowercase()
    };
    value.len() >= LONG_WORD && value.as_bytes().windows(2).filter(is_change).count() * 3 > value.len()
}

/// Digits only, or a time: a count, a date, a version.
fn is_number(value: &str) -> bool {
    (value.len() < 20 || value.contains(':'))
        && value.bytes().all(|byte| byte.is_ascii_digit() || b".:-+TZ".contains(&byte))
}

/// The name of a resource: several words, numbers, and the random endings that Kubernetes gives.
fn is_name(value: &str) -> bool {
    let mut parts = parts(value, BETWEEN_NAMES).enumerate();
    parts.clone().count() > 1
        && parts.all(|(nth, part)| is_word(part) || is_numbered(part) || nth > 0 && is_suffix(part))
}

const BETWEEN_WORDS: &[char] = &['-', '_', '.', '/', ':', '\''];
const BETWEEN_NAMES: &[char] = &['-', '_', '.', '/', ':', '@', '#', '?'];

fn parts<'v>(value: &'v str, between: &'static [char]) -> impl Iterator<Item = &'v str> + Clone {
    value.split(between).filter(|part| !part.is_empty())
}

/// Letters in one case but for the first, or CamelCase.
fn is_word(part: &str) -> bool {
    is_letters(part) && !is_scrambled(part)
}

/// `42`, `2026`, `v2`, `postgres16`, `9b`.
fn is_numbered(part: &str) -> bool {
    let letters = part.bytes().take_while(u8::is_ascii_alphabetic).count();
    let digits = part.bytes().skip(letters).take_while(u8::is_ascii_digit).count();
    let rest = part.len() - letters - digits;
    (1..=8).contains(&digits)
        && (letters == 0 || digits <= 4)
        && (rest == 0 || rest <= 2 && digits <= 3 && is_letters(&part[part.len() - rest..]))
}

/// What Kubernetes hangs on a name: letters without vowels and digits without 0, 1 and 3 (`rand.SafeEncodeString`).
fn is_suffix(part: &str) -> bool {
    (5..=10).contains(&part.len()) && part.bytes().all(|byte| b"bcdfghjklmnpqrstvwxz2456789".contains(&byte))
}
