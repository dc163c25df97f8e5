//! Matchers on labels, in every spelling that Alertmanager takes.
//!
//! Two parsers stand beside each other there: the classic one, and since 0.27 one that takes any UTF-8. A text is
//! read by the classic one where that can, which has the last word when the two disagree, and else by the new one
//! (`matcher/compat/parse.go`, fallback mode).

use std::collections::BTreeSet;
use std::sync::OnceLock;

use km_yaml::Mark;
use regex::Regex;
use regex_syntax::hir::{Hir, HirKind};

/// The largest compiled regular expression.
const REGEX_BYTES_MAX: usize = 2 << 20;
/// The most values that a regular expression is written out into.
const VALUES_MAX: usize = 256;

/// A condition on one label.
#[derive(Clone, Debug)]
pub(crate) struct Matcher {
    pub(crate) name: String,
    pub(crate) op: Op,
    pub(crate) value: String,
    pub(crate) mark: Mark,
    /// Compiled when it is first asked for; nothing where it cannot be.
    regex: OnceLock<Option<Regex>>,
    /// The values that it takes (of a positive one) or refuses (of a negative one), when they are few.
    listed: Option<BTreeSet<String>>,
}

/// How a matcher compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Equal,
    NotEqual,
    Matches,
    NotMatches,
}

impl Op {
    pub(crate) const fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Matches => "=~",
            Self::NotMatches => "!~",
        }
    }

    pub(crate) const fn is_regex(self) -> bool {
        matches!(self, Self::Matches | Self::NotMatches)
    }

    const fn is_negative(self) -> bool {
        matches!(self, Self::NotEqual | Self::NotMatches)
    }
}

impl Matcher {
    /// A matcher; a regular expression has to be one.
    pub(crate) fn new(name: &str, op: Op, value: &str, mark: Mark) -> Result<Self, String> {
        let listed =
            if op.is_regex() { listed(&parsed(value)?) } else { Some(BTreeSet::from([value.to_owned()])) };
        let (name, value) = (name.to_owned(), value.to_owned());
        Ok(Self { name, op, value, mark, regex: OnceLock::new(), listed })
    }

    /// Whether a label with this value matches; a label that is not there has the empty value.
    pub(crate) fn takes(&self, value: &str) -> bool {
        let same = match &self.listed {
            Some(listed) => listed.contains(value),
            None => {
                let regex = self.regex.get_or_init(|| compile(&self.value).ok());
                // One that is too large to be compiled was said to be; it may match anything.
                regex.as_ref().is_none_or(|regex| regex.is_match(value))
            }
        };
        same != self.op.is_negative()
    }

    pub(crate) const fn is_negative(&self) -> bool {
        self.op.is_negative()
    }

    pub(crate) fn takes_absence(&self) -> bool {
        self.takes("")
    }

    /// The only values that it takes, when they are few and known.
    pub(crate) fn only(&self) -> Option<&BTreeSet<String>> {
        if self.op.is_negative() { None } else { self.listed.as_ref() }
    }

    /// The only values that it refuses, when they are few and known.
    fn refused(&self) -> Option<&BTreeSet<String>> {
        if self.op.is_negative() { self.listed.as_ref() } else { None }
    }

    /// Whether it takes nothing but absence.
    pub(crate) fn takes_only_absence(&self) -> bool {
        self.only().is_some_and(|only| only.iter().all(String::is_empty))
    }

    /// Whether it takes every value but, maybe, the empty one.
    pub(crate) fn takes_whatever_is_there(&self) -> bool {
        match self.op {
            Op::Matches => matches!(self.value.as_str(), ".+" | ".*" | "(.+)" | "(.*)" | "^.+$" | "^.*$"),
            Op::NotEqual => self.value.is_empty(),
            Op::NotMatches => self.listed.as_ref().is_some_and(|listed| listed.iter().all(String::is_empty)),
            Op::Equal => false,
        }
    }

    /// Whether every value that this one takes is taken by the other too. False where that is not certain.
    pub(crate) fn implies(&self, other: &Self) -> bool {
        if self.name != other.name {
            return false;
        }
        if self.op == other.op && self.value == other.value {
            return true;
        }
        if let Some(only) = self.only() {
            return only.iter().all(|value| other.takes(value));
        }
        if other.takes_whatever_is_there() && (other.takes_absence() || !self.takes_absence()) {
            // It takes whatever is there, and this one asks that something is.
            return true;
        }
        match (self.refused(), other.refused()) {
            (Some(mine), Some(theirs)) => theirs.is_subset(mine),
            _ => false,
        }
    }

    /// Whether no value is taken by both. False where that is not certain.
    pub(crate) fn excludes(&self, other: &Self) -> bool {
        if self.name != other.name {
            return false;
        }
        match (self.only(), other.only()) {
            (Some(mine), _) => !mine.iter().any(|value| other.takes(value)),
            (None, Some(theirs)) => !theirs.iter().any(|value| self.takes(value)),
            (None, None) => false,
        }
    }

    /// As Alertmanager writes it.
    pub(crate) fn shown(&self) -> String {
        format!("{}{}{:?}", self.name, self.op.sign(), self.value)
    }
}

/// Whether no alert can meet all of these at once; names the two that exclude each other.
pub(crate) fn contradiction<'a>(matchers: &[&'a Matcher]) -> Option<(&'a Matcher, &'a Matcher)> {
    matchers.iter().enumerate().find_map(|(at, first)| {
        let second = matchers.iter().skip(at + 1).find(|second| first.excludes(second))?;
        Some((*first, *second))
    })
}

/// Whether every alert that meets `narrow` meets `wide` too. False where that is not certain.
pub(crate) fn implied(narrow: &[&Matcher], wide: &[&Matcher]) -> bool {
    wide.iter().all(|wide| narrow.iter().any(|narrow| narrow.implies(wide)) || takes_everything(wide))
}

fn takes_everything(matcher: &Matcher) -> bool {
    matcher.takes_absence() && matcher.takes_whatever_is_there()
}

/// Compiles as Alertmanager does: anchored at both ends.
pub(crate) fn compile(value: &str) -> Result<Regex, String> {
    if repeats_a_repetition(value) {
        return Err("a repetition is repeated".to_owned());
    }
    let build = |pattern: &str| regex::RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).build();
    let anchored = |pattern: &str| format!("^(?:{pattern})$");
    let tried = build(&anchored(value));
    tried.or_else(|error| build(&anchored(&as_go_reads_it(value))).map_err(|_| said(&error.to_string())))
}

/// Reads without compiling, which takes longer.
fn parsed(value: &str) -> Result<Hir, String> {
    if repeats_a_repetition(value) {
        return Err("a repetition is repeated".to_owned());
    }
    let parse =
        |pattern: &str| regex_syntax::Parser::new().parse(pattern).map_err(|error| said(&error.to_string()));
    parse(value).or_else(|why| parse(&as_go_reads_it(value)).map_err(|_| why))
}

/// The part of an error that names the mistake.
fn said(error: &str) -> String {
    let last = error.lines().last().unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// What Go takes literally and this crate does not: brackets inside of brackets, braces that count nothing, `\Q…\E`.
fn as_go_reads_it(pattern: &str) -> String {
    let mut out = String::new();
    let mut rest = pattern;
    let mut in_class = false;
    while !rest.is_empty() {
        let (token, after) = token(rest, in_class);
        match token {
            _ if token.starts_with(r"\Q") => {
                out.push_str(&regex::escape(token.trim_start_matches(r"\Q").trim_end_matches(r"\E")));
            }
            "[" if in_class => out.push_str(r"\["),
            "&" | "~" | "-" if in_class && after.starts_with(token) => out.extend(["\\", token]),
            "]" => {
                in_class = false;
                out.push(']');
            }
            "{" if !in_class && !is_count(after) => out.push_str(r"\{"),
            _ => {
                in_class |= token.starts_with('[');
                // The first bracket inside of brackets stands for itself.
                out.push_str(&token.replace(']', if token.starts_with("[:") { "]" } else { r"\]" }));
            }
        }
        rest = after;
    }
    out
}

/// The next piece of a pattern that means something by itself.
fn token(rest: &str, in_class: bool) -> (&str, &str) {
    let first = rest.chars().next().map_or(0, char::len_utf8);
    let length = if rest.starts_with(r"\Q") {
        rest.find(r"\E").map_or(rest.len(), |end| end + 2)
    } else if rest.starts_with('\\') {
        rest.chars().take(2).map(char::len_utf8).sum()
    } else if in_class && rest.starts_with("[:") {
        rest.find(":]").map_or(first, |end| end + 2)
    } else if !in_class && rest.starts_with("[^]") {
        3
    } else if !in_class && (rest.starts_with("[]") || rest.starts_with("[^")) {
        2
    } else {
        first
    };
    rest.split_at_checked(length).unwrap_or((rest, ""))
}

/// Go refuses `a**`, which this crate reads as `(a*)*`.
fn repeats_a_repetition(pattern: &str) -> bool {
    let (mut rest, mut in_class, mut repetitions) = (pattern, false, 0);
    while !rest.is_empty() {
        let (token, after) = token(rest, in_class);
        match token {
            "*" | "+" if !in_class => repetitions += 1,
            "?" if !in_class && repetitions == 1 => repetitions = 2,
            "?" if !in_class => repetitions += 1,
            _ => {
                in_class = token.starts_with('[') || (in_class && token != "]");
                repetitions = 0;
            }
        }
        // `*?` is one repetition that takes as little as it can.
        if repetitions > 2 || (repetitions == 2 && token != "?") {
            return true;
        }
        rest = after;
    }
    false
}

fn is_count(after: &str) -> bool {
    let Some((inside, _)) = after.split_once('}') else { return false };
    let (least, most) = inside.split_once(',').unwrap_or((inside, ""));
    !least.is_empty() && [least, most].iter().all(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The values of a regular expression that is a list of words, such as `warning|info` or `node-[12]`.
fn listed(hir: &Hir) -> Option<BTreeSet<String>> {
    let values = words(hir)?;
    values.into_iter().map(|value| String::from_utf8(value).ok()).collect()
}

fn words(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    let words = match hir.kind() {
        HirKind::Empty | HirKind::Look(regex_syntax::hir::Look::Start | regex_syntax::hir::Look::End) => {
            vec![Vec::new()]
        }
        HirKind::Literal(literal) => vec![literal.0.to_vec()],
        HirKind::Class(regex_syntax::hir::Class::Unicode(class)) => {
            let chars =
                class.ranges().iter().map(|range| u32::from(range.end()) - u32::from(range.start()) + 1);
            if chars.map(|count| count as usize).sum::<usize>() > VALUES_MAX {
                return None;
            }
            let each = class.ranges().iter().flat_map(|range| range.start()..=range.end());
            each.map(|c| c.to_string().into_bytes()).collect()
        }
        HirKind::Capture(capture) => words(&capture.sub)?,
        HirKind::Repetition(repetition) if repetition.max == Some(1) && repetition.min == 0 => {
            let mut some = words(&repetition.sub)?;
            some.push(Vec::new());
            some
        }
        HirKind::Concat(parts) => {
            let mut all = vec![Vec::new()];
            for part in parts {
                let next = words(part)?;
                if all.len() * next.len() > VALUES_MAX {
                    return None;
                }
                all = all
                    .iter()
                    .flat_map(|head: &Vec<u8>| next.iter().map(move |tail| [&head[..], tail].concat()))
                    .collect();
            }
            all
        }
        HirKind::Alternation(branches) => {
            let mut all = Vec::new();
            for branch in branches {
                all.extend(words(branch)?);
            }
            all
        }
        HirKind::Class(_) | HirKind::Repetition(_) | HirKind::Look(_) => return None,
    };
    (words.len() <= VALUES_MAX).then_some(words)
}

/// Reads a line of `matchers`, which may hold several. The errors are those of the parser that would have the last
/// word.
pub(crate) fn parse(line: &str, mark: Mark) -> Result<Vec<Matcher>, String> {
    let classic = classic(line);
    let raw = match utf8(line) {
        Err(_) => classic?,
        Ok(new) => classic.unwrap_or(new),
    };
    raw.iter().map(|raw| Matcher::new(&raw.name, raw.op, &raw.value, mark)).collect()
}

/// Whether only the parser of 0.27 and later reads this line.
pub(crate) fn needs_utf8(line: &str) -> bool {
    classic(line).is_err() && utf8(line).is_ok()
}

/// A matcher as it is written.
struct Raw {
    name: String,
    op: Op,
    value: String,
}

/// The classic parser (`pkg/labels/parse.go`).
fn classic(line: &str) -> Result<Vec<Raw>, String> {
    let inner = line.strip_prefix('{').unwrap_or(line);
    let inner = inner.strip_suffix('}').unwrap_or(inner);
    let mut tokens = Vec::new();
    let (mut token, mut quoted, mut escaped) = (String::new(), false, false);
    for c in inner.chars() {
        match c {
            ',' if !quoted => {
                tokens.push(std::mem::take(&mut token));
                continue;
            }
            '"' if escaped => escaped = false,
            '"' => quoted = !quoted,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
        token.push(c);
    }
    if !token.trim().is_empty() {
        tokens.push(token);
    }
    tokens.iter().map(|token| classic_one(token)).collect()
}

fn classic_one(token: &str) -> Result<Raw, String> {
    let bad = || format!("`{}` is no matcher: it is written as label, =, !=, =~ or !~, value", token.trim());
    let text = token.trim();
    let name_end =
        text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':').unwrap_or(text.len());
    let (name, rest) = text.split_at(name_end);
    let rest = rest.trim_start();
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(bad());
    }
    let (op, raw) = [("=~", Op::Matches), ("!~", Op::NotMatches), ("!=", Op::NotEqual), ("=", Op::Equal)]
        .into_iter()
        .find_map(|(sign, op)| Some((op, rest.strip_prefix(sign)?)))
        .ok_or_else(bad)?;
    let value =
        classic_value(raw.trim()).ok_or_else(|| format!("`{text}`: a `\"` in the value is not escaped"))?;
    Ok(Raw { name: name.to_owned(), op, value })
}

fn classic_value(raw: &str) -> Option<String> {
    let raw = match raw.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"').filter(|inner| !ends_escaped(inner))?,
        None => raw,
    };
    let mut value = String::new();
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => value.push('\n'),
                Some(c @ ('"' | '\\')) => value.push(c),
                Some(c) => value.extend(['\\', c]),
                None => value.push('\\'),
            },
            '"' => return None,
            c => value.push(c),
        }
    }
    Some(value)
}

fn ends_escaped(text: &str) -> bool {
    text.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1
}

/// The parser of 0.27 (`matcher/parse`).
fn utf8(line: &str) -> Result<Vec<Raw>, String> {
    let mut lexer = Lexer { rest: line };
    let mut matchers = Vec::new();
    let braced = lexer.accept("{");
    loop {
        if lexer.at_end() || lexer.rest.starts_with('}') {
            break;
        }
        let name = lexer.word()?;
        let op = lexer.operator()?;
        let value = lexer.word()?;
        matchers.push(Raw { name, op, value });
        if !lexer.accept(",") {
            break;
        }
    }
    if lexer.accept("}") != braced {
        return Err("the braces do not match".to_owned());
    }
    if lexer.at_end() { Ok(matchers) } else { Err(format!("unexpected `{}`", lexer.rest)) }
}

struct Lexer<'a> {
    rest: &'a str,
}

impl Lexer<'_> {
    fn at_end(&mut self) -> bool {
        self.rest = self.rest.trim_start();
        self.rest.is_empty()
    }

    fn accept(&mut self, token: &str) -> bool {
        self.rest = self.rest.trim_start();
        let after = self.rest.strip_prefix(token);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn operator(&mut self) -> Result<Op, String> {
        let signs = [("=~", Op::Matches), ("!~", Op::NotMatches), ("!=", Op::NotEqual), ("=", Op::Equal)];
        let found = signs.into_iter().find(|(sign, _)| self.accept(sign));
        found.map(|(_, op)| op).ok_or_else(|| "expected one of =, !=, =~, !~".to_owned())
    }

    /// Quoted, with the escapes of Go, or without any reserved character.
    fn word(&mut self) -> Result<String, String> {
        self.rest = self.rest.trim_start();
        if let Some(quoted) = self.rest.strip_prefix('"') {
            let mut escaped = false;
            let end = quoted.find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            let (inner, after) = quoted.split_at(end.ok_or("a quote is not closed")?);
            self.rest = after.get(1..).unwrap_or_default();
            return unquoted(inner).ok_or_else(|| format!("`{inner}` holds an escape that is none"));
        }
        let reserved = |c: char| c.is_whitespace() || "{}!=~,\\\"'`".contains(c);
        let (word, after) = self.rest.split_at(self.rest.find(reserved).unwrap_or(self.rest.len()));
        self.rest = after;
        if word.is_empty() { Err("a word is missing".to_owned()) } else { Ok(word.to_owned()) }
    }
}

/// The escapes of Go's `strconv.Unquote`.
fn unquoted(inner: &str) -> Option<String> {
    let mut value = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            value.push(c);
            continue;
        }
        let kind = chars.next()?;
        let digits = match kind {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        value.push(match kind {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '\\' | '"' => kind,
            'x' | 'u' | 'U' => {
                let number: String = chars.by_ref().take(digits).collect();
                char::from_u32(u32::from_str_radix(&number, 16).ok()?)?
            }
            _ => return None,
        });
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Vec<String> {
        parse(line, Mark::default()).unwrap_or_default().iter().map(Matcher::shown).collect()
    }

    fn one(line: &str) -> Matcher {
        parse(line, Mark::default()).ok().and_then(|mut all| all.pop()).unwrap_or_else(|| panic!("{line}"))
    }

    #[test]
    fn every_spelling_is_read_as_alertmanager_reads_it() {
        for (line, read_as) in [
            ("severity=critical", vec![r#"severity="critical""#]),
            ("severity =~ warning|info", vec![r#"severity=~"warning|info""#]),
            (r#"{foo="bar", dings != "bums", }"#, vec![r#"foo="bar""#, r#"dings!="bums""#]),
            (r#"foo=bar,dings!=bums"#, vec![r#"foo="bar""#, r#"dings!="bums""#]),
            (r#""k8s.pod name"="a b""#, vec![r#"k8s.pod name="a b""#]),
            (r#"team=~"a\\.b""#, vec![r#"team=~"a\\.b""#]),
            (r#"node=~^foo.*$"#, vec![r#"node=~"^foo.*$""#]),
            ("foo=", vec![r#"foo="""#]),
            ("ключ=значение", vec![r#"ключ="значение""#]),
            ("", vec![]),
        ] {
            assert_eq!(read(line), read_as, "{line}");
        }
    }

    #[test]
    fn what_alertmanager_refuses_is_refused() {
        for line in
            ["severity", "=critical", "a==b=\"c", r#"a="b"#, r#"a=~"(b""#, r#"a=~"b**""#, r#"a=~"(?=x)""#]
        {
            assert!(parse(line, Mark::default()).is_err(), "{line}");
        }
    }

    #[test]
    fn what_go_reads_literally_compiles() {
        for pattern in [
            "a{",
            "{{x}}",
            "[[]",
            "[a[b]",
            r"\Qa.b[\E",
            "[]a]",
            "[^]a]",
            "[[:alpha:]_]+",
            "a{2,3}",
            r"\d+\.",
            "[a--b]",
        ] {
            assert!(compile(pattern).is_ok(), "{pattern}");
        }
        assert!(compile("[[:alpha:]_]+").is_ok_and(|regex| regex.is_match("ab_")));
    }

    #[test]
    fn implication_and_exclusion_are_said_only_where_they_are_certain() {
        for (narrow, wide, holds) in [
            (r#"a="x""#, r#"a=~"x|y""#, true),
            (r#"a=~"x|y""#, r#"a=~"x|y|z""#, true),
            (r#"a=~"node-[12]""#, r#"a=~"node-.""#, true),
            (r#"a=~"x.*""#, r#"a=~".+""#, true),
            (r#"a=~"x.*""#, r#"a=~"x.+""#, false),
            (r#"a="x""#, r#"a!="y""#, true),
            (r#"a!~"x|y""#, r#"a!="x""#, true),
            (r#"a="x""#, r#"b="x""#, false),
        ] {
            assert_eq!(one(narrow).implies(&one(wide)), holds, "{narrow} {wide}");
        }
        for (a, b, holds) in [
            (r#"a="x""#, r#"a="y""#, true),
            (r#"a=~"x|y""#, r#"a=~"z.*""#, true),
            (r#"a="""#, r#"a=~".+""#, true),
            (r#"a=~"x.*""#, r#"a=~"y.*""#, false),
            (r#"a!="x""#, r#"a="x""#, true),
        ] {
            assert_eq!(one(a).excludes(&one(b)), holds, "{a} {b}");
        }
    }
}
