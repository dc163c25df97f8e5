//! `.env` files, as python-dotenv and compose read them.

use std::path::Path;

use super::{Content, Layer, Variable};
use crate::files::read_text;
use crate::finding::{Code, Level, Place, Remark};

/// The variables of a file; what cannot be read becomes a remark.
pub(super) fn file(path: &Path, remarks: &mut Vec<Remark>) -> Vec<Variable> {
    let shown = path.display().to_string();
    match read_text(path) {
        Ok(text) => lines(&shown, &text, remarks),
        Err(error) => {
            let message = format!("cannot be read: {error}");
            remarks.push(
                Remark::new(Code::Unparsable, Level::Error, message, Some(Place::file(shown))).undecided(),
            );
            Vec::new()
        }
    }
}

fn lines(file: &str, text: &str, remarks: &mut Vec<Remark>) -> Vec<Variable> {
    let mut variables: Vec<Variable> = Vec::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut line = 1;
    while !rest.is_empty() {
        let (first, behind) = rest.split_once('\n').unwrap_or((rest, ""));
        let statement = first.trim();
        let number = line;
        line += 1;
        if statement.is_empty() || statement.starts_with('#') {
            rest = behind;
            continue;
        }
        let assigned = statement.strip_prefix("export ").unwrap_or(statement).trim_start();
        let mut broken = |why: &str| {
            let place = Some(Place::new(file, number, 1));
            remarks.push(Remark::new(Code::Unparsable, Level::Error, why, place).undecided());
        };
        let Some((name, value)) = assigned.split_once('=') else {
            broken("is not NAME=value");
            rest = behind;
            continue;
        };
        let name = name.trim().trim_matches(['\'', '"']);
        if name.is_empty() || name.contains(char::is_whitespace) {
            broken("is not NAME=value");
            rest = behind;
            continue;
        }
        let start = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        let offset =
            rest.get(start..).and_then(|rest| rest.find('=')).map_or(rest.len(), |at| start + at + 1);
        let (content, used) = match value.trim_start().chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let body = rest.get(offset..).unwrap_or_default();
                match quoted(body, quote) {
                    Some((content, used)) => (content, offset + used),
                    None => {
                        broken("a quote is not closed");
                        break;
                    }
                }
            }
            _ => (unquoted(value), first.len()),
        };
        let literal = value.trim_start().starts_with('\'');
        let content = if literal { Content::Text(content) } else { interpolated(&content, &variables) };
        let place = Place::new(file, number, 1);
        variables.push(Variable {
            name: name.to_owned(),
            content,
            layer: Layer::DotEnv,
            place,
            source: file.to_owned(),
        });
        line += rest.get(first.len()..used).map_or(0, |more| more.matches('\n').count());
        let after = rest.get(used..).unwrap_or_default();
        rest = after.split_once('\n').map_or("", |(_, next)| next);
    }
    variables
}

/// The text up to the closing quote, and how far that is.
fn quoted(body: &str, quote: char) -> Option<(String, usize)> {
    let start = body.find(quote)?;
    let mut content = String::new();
    let mut escaped = false;
    for (at, c) in body.char_indices().filter(|(at, _)| *at > start) {
        match c {
            _ if escaped => {
                escaped = false;
                match (quote, c) {
                    ('"', 'n') => content.push('\n'),
                    ('"', 'r') => content.push('\r'),
                    ('"', 't') => content.push('\t'),
                    (_, c) if c == quote || c == '\\' => content.push(c),
                    (_, c) => {
                        content.push('\\');
                        content.push(c);
                    }
                }
            }
            '\\' => escaped = true,
            c if c == quote => return Some((content, at + c.len_utf8())),
            c => content.push(c),
        }
    }
    None
}

/// A `#` after a blank begins a comment.
fn unquoted(value: &str) -> String {
    let value = value.trim_start();
    let comment = value.char_indices().find(|(at, c)| {
        *c == '#'
            && (*at == 0 || value.get(..*at).is_some_and(|before| before.ends_with(char::is_whitespace)))
    });
    value.get(..comment.map_or(value.len(), |(at, _)| at)).unwrap_or_default().trim_end().to_owned()
}

/// Puts variables that stand above into a text: `$A`, `${A}`, `${A:-d}` and the other forms of the shell.
pub(super) fn interpolated(text: &str, known: &[Variable]) -> Content {
    if !text.contains('$') {
        return super::text_content(text);
    }
    match expand(text, known, 0) {
        Ok(text) => super::text_content(&text),
        Err(why) => Content::Unresolved(why),
    }
}

/// The longest text that references come to.
pub(super) const TEXT_BYTES_MAX: usize = 1 << 20;
/// How deep defaults lie in defaults.
const DEPTH_MAX: usize = 10;

fn expand(text: &str, known: &[Variable], depth: usize) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        if out.len() > TEXT_BYTES_MAX {
            return Err(format!("its references come to more than {TEXT_BYTES_MAX} bytes"));
        }
        out.push_str(before);
        if let Some(behind) = after.strip_prefix('$') {
            out.push('$');
            rest = behind;
        } else if let Some(inside) = after.strip_prefix('{') {
            let end = closing(inside).ok_or_else(|| format!("${{ is not closed in {text}"))?;
            let (form, behind) = inside.split_at(end);
            if depth >= DEPTH_MAX {
                return Err(format!("more than {DEPTH_MAX} defaults in each other"));
            }
            out.push_str(&braced(form, known, depth)?);
            rest = behind.strip_prefix('}').unwrap_or(behind);
        } else {
            let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
            let (name, behind) = after.split_at(end);
            if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
                out.push('$');
                rest = after;
            } else {
                out.push_str(&value_of(name, known)?.ok_or_else(|| not_set(name))?);
                rest = behind;
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Where the brace closes that is open at the beginning.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn braced(form: &str, known: &[Variable], depth: usize) -> Result<String, String> {
    let end = form.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(form.len());
    let (name, rest) = form.split_at(end);
    let value = value_of(name, known)?;
    let (colon, rest) = rest.strip_prefix(':').map_or((false, rest), |rest| (true, rest));
    let set = value.clone().filter(|value| !colon || !value.is_empty());
    if let Some(other) = rest.strip_prefix('-') {
        return set.map_or_else(|| expand(other, known, depth + 1), Ok);
    }
    if let Some(other) = rest.strip_prefix('+') {
        return if set.is_some() { expand(other, known, depth + 1) } else { Ok(String::new()) };
    }
    if rest.starts_with('?') {
        return set.ok_or_else(|| format!("{name} has to be set by whoever deploys"));
    }
    if !rest.is_empty() || name.is_empty() {
        return Err(format!("${{{form}}} is not understood"));
    }
    value.ok_or_else(|| not_set(name))
}

fn not_set(name: &str) -> String {
    format!("{name} is set by whoever deploys")
}

fn value_of(name: &str, known: &[Variable]) -> Result<Option<String>, String> {
    match known.iter().rev().find(|variable| variable.name == name).map(|variable| &variable.content) {
        Some(Content::Text(text) | Content::SecretText(text)) => Ok(Some(text.clone())),
        Some(Content::Secret(why) | Content::Unresolved(why)) => Err(why.clone()),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, Content)> {
        lines(".env", text, &mut Vec::new())
            .into_iter()
            .map(|variable| (variable.name, variable.content))
            .collect()
    }

    fn text(name: &str, value: &str) -> (String, Content) {
        (name.to_owned(), Content::Text(value.to_owned()))
    }

    #[test]
    fn quotes_comments_and_exports_are_as_in_dotenv() {
        let source = "# c\nexport A=1\nB = two words # c\nC='a#b $A'\nD=\"x\\ny\"\nE=\nF=a#b\n";
        let expected = [
            text("A", "1"),
            text("B", "two words"),
            text("C", "a#b $A"),
            text("D", "x\ny"),
            text("E", ""),
            text("F", "a#b"),
        ];
        assert_eq!(read(source), expected);
    }

    #[test]
    fn values_of_several_lines_keep_the_count() {
        let variables = lines(".env", "A=\"1\n2\"\nB=3\n", &mut Vec::new());
        assert_eq!(variables[1].place.line, Some(3));
        assert_eq!(variables[0].content, Content::Text("1\n2".to_owned()));
    }

    #[test]
    fn defaults_hold_when_nothing_is_set() {
        let source = "H=db\nA=${H}:${P:-5432}\nB=${H:+yes}${X+no}\nC=$H$$\nE=\nD=${E:-d}${E-e}\n";
        let expected = [
            text("H", "db"),
            text("A", "db:5432"),
            text("B", "yes"),
            text("C", "db$"),
            text("E", ""),
            text("D", "d"),
        ];
        assert_eq!(read(source), expected);
        assert!(matches!(&read("A=${HOST}")[0].1, Content::Unresolved(why) if why.contains("HOST")));
    }

    #[test]
    fn broken_lines_are_named() {
        let mut remarks = Vec::new();
        assert_eq!(lines(".env", "A=1\nnonsense\nB=2\n", &mut remarks).len(), 2);
        assert_eq!(remarks[0].place, Some(Place::new(".env", 2, 1)));
        lines(".env", "A=\"1\n", &mut remarks);
        assert_eq!(remarks.len(), 2);
    }
}
