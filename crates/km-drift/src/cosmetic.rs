//! Addresses that are written differently and mean the same: RFC 3986, section 6.2.

use crate::value::Value;

/// Ports that need not be written.
const DEFAULT_PORTS: [(&str, &str); 9] = [
    ("http", "80"),
    ("https", "443"),
    ("ws", "80"),
    ("wss", "443"),
    ("ftp", "21"),
    ("postgres", "5432"),
    ("postgresql", "5432"),
    ("redis", "6379"),
    ("amqp", "5672"),
];

/// Whether two values differ only in how their addresses are written.
#[must_use]
pub fn only_cosmetic(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Str(a), Value::Str(b)) => match (normal(a), normal(b)) {
            (Some(a), Some(b)) => a == b,
            _ => a == b,
        },
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| only_cosmetic(a, b))
        }
        (Value::Set(a), Value::Set(b)) => {
            let inside = |a: &[Value], b: &[Value]| a.iter().all(|x| b.iter().any(|y| only_cosmetic(x, y)));
            inside(a, b) && inside(b, a)
        }
        (Value::Map(a), Value::Map(b)) => {
            let found = |key: &Value| b.iter().find(|(other, _)| other.same(key));
            a.len() == b.len()
                && a.iter()
                    .all(|(key, value)| found(key).is_some_and(|(_, other)| only_cosmetic(value, other)))
        }
        (a, b) => a.same(b),
    }
}

/// Scheme and host in lower case, no default port, no slash at the end of the path.
fn normal(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let valid = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    if !valid {
        return None;
    }
    let scheme = scheme.to_ascii_lowercase();
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, behind) = rest.split_at(end);
    let (user, host) = authority.rsplit_once('@').map_or(("", authority), |(user, host)| (user, host));
    let mut host = host.to_ascii_lowercase();
    let plain = scheme.split('+').next().unwrap_or_default();
    if let Some((_, port)) = DEFAULT_PORTS.iter().find(|(known, _)| *known == plain)
        && let Some(bare) = host.strip_suffix(&format!(":{port}"))
    {
        host = bare.to_owned();
    }
    let end = behind.find(['?', '#']).unwrap_or(behind.len());
    let (path, query) = behind.split_at(end);
    Some(format!("{scheme}://{user}@{host}{}{query}", path.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        only_cosmetic(&Value::Str(a.to_owned()), &Value::Str(b.to_owned()))
    }

    #[test]
    fn slash_port_and_case_of_the_host_are_cosmetic() {
        assert!(same("http://Prometheus:80/", "http://prometheus"));
        assert!(same("HTTPS://a/b/?q", "https://a:443/b?q"));
        assert!(same("http://[::1]:80", "http://[::1]/"));
    }

    #[test]
    fn what_an_application_can_tell_apart_is_not() {
        for (a, b) in [
            ("http://a", "https://a"),
            ("http://a:8080", "http://a"),
            ("http://a/B", "http://a/b"),
            ("http://u@a", "http://a"),
            ("http://U@a", "http://u@a"),
            ("a/", "a"),
            ("http://a:443", "http://a"),
        ] {
            assert!(!same(a, b), "{a} {b}");
        }
    }
}
