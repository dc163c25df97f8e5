//! Secrets among the arguments of programs: `curl -u user:password`, `mysql -ppassword`.

use std::ops::Range;

use super::assignments::{Place, value};
use super::tokens::{inside_word, run};
use super::values::is_blank;
use super::{Kind, Secret};

/// A program, and the argument that is secret.
pub(super) struct Command {
    pub(super) program: &'static str,
    options: &'static [&'static str],
    takes: Takes,
}

/// What follows an option.
#[derive(Clone, Copy)]
enum Takes {
    /// `user:password`, of which the second is secret; attached or behind white space.
    UserAndPassword,
    /// The secret, attached or behind white space.
    Secret,
    /// The secret, attached; without one the program asks for it.
    Attached,
}

const fn command(program: &'static str, options: &'static [&'static str], takes: Takes) -> Command {
    Command { program, options, takes }
}

pub(super) static COMMANDS: [Command; 10] = [
    command("curl", &["-u", "--user", "-U", "--proxy-user"], Takes::UserAndPassword),
    command("mysql", &["-p"], Takes::Attached),
    command("mysqldump", &["-p"], Takes::Attached),
    command("mysqladmin", &["-p"], Takes::Attached),
    command("mariadb", &["-p"], Takes::Attached),
    command("sshpass", &["-p"], Takes::Secret),
    command("redis-cli", &["-a"], Takes::Secret),
    command("login", &["-p"], Takes::Secret),
    command("ldapsearch", &["-w"], Takes::Secret),
    command("openssl", &["pass:"], Takes::Attached),
];

/// Reads the arguments behind the program at `needle`, up to the end of its command.
pub(super) fn read(command: &Command, text: &str, needle: Range<usize>, found: &mut Vec<Secret>) -> usize {
    let bytes = text.as_bytes();
    if inside_word(bytes, needle.start) {
        return needle.end;
    }
    let mut at = needle.end;
    while let Some(start) = next_argument(bytes, at).filter(|_| bytes[at - 1] != b';') {
        at = (start + run(bytes, start, |byte| !byte.is_ascii_whitespace())).max(start + 1);
        let Some(place) = argument(command, text, start) else { continue };
        at = at.max(place.at.end);
        if let Some(secret) = secret_of(command, text, place) {
            found.push(Secret { kind: Kind::Credential, at: secret });
        }
    }
    at
}

/// Where the next argument of the same command begins: behind white space, a line goes on behind a backslash.
fn next_argument(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        match bytes.get(at)? {
            b' ' | b'\t' => at += 1,
            b'\\' if bytes.get(at + 1) == Some(&b'\n') => at += 2,
            b'\n' | b'\r' | b'|' | b';' | b'&' => return None,
            _ if at == from => return None,
            _ => return Some(at),
        }
    }
}

/// What an option at `start` takes, if it is one of the command's.
fn argument(command: &Command, text: &str, start: usize) -> Option<Place> {
    let word = &text[start..];
    let option = command
        .options
        .iter()
        .filter(|option| word.starts_with(**option))
        .max_by_key(|option| option.len())?;
    let behind = start + option.len();
    let bytes = text.as_bytes();
    let spaces = run(bytes, behind, |byte| byte == b' ');
    let is_long = option.starts_with("--");
    let is_equal = bytes.get(behind) == Some(&b'=');
    match command.takes {
        Takes::Attached if spaces > 0 => None,
        Takes::Attached => Some(value(text, behind)),
        _ if is_long && spaces == 0 && !is_equal => None,
        _ => Some(value(text, behind + spaces + usize::from(is_long && is_equal))),
    }
}

fn secret_of(command: &Command, text: &str, place: Place) -> Option<Range<usize>> {
    let at = place.whole(text);
    let whole = &text[at.clone()];
    let secret = match command.takes {
        Takes::UserAndPassword => whole.split_once(':')?.1,
        Takes::Secret | Takes::Attached => whole,
    };
    let is_told = !secret.is_empty() && !is_blank(secret);
    is_told.then(|| at.end - secret.len()..at.end)
}
