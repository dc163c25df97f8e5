//! Which names say that a value is secret.

/// What a name says about the value behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// A password: whatever stands there, also a short word.
    Password,
    /// A password, or the directory where a shell works.
    PasswordOrPath,
    /// A key or token that is secret by its name.
    Key,
    /// The key of a client in a kubeconfig.
    Kubeconfig,
    /// Often a secret, often the name of one: the value decides.
    Perhaps,
    /// As [`Says::Perhaps`], and a word of its own as well: behind `=` only.
    PerhapsAssigned,
    /// A scheme and what proves it (RFC 9110, section 11.6.2).
    Authorization,
}

/// Ends of names, in lower case without what parts words. The first that fits counts.
const ENDS: [(&str, Says); 50] = [
    ("clientkeydata", Says::Kubeconfig),
    ("password", Says::Password),
    ("passwd", Says::Password),
    ("passphrase", Says::Password),
    ("passcode", Says::Password),
    ("requirepass", Says::Password),
    ("masterauth", Says::Password),
    ("dbpass", Says::Password),
    ("rootpass", Says::Password),
    ("adminpass", Says::Password),
    ("userpass", Says::Password),
    ("pwd", Says::PasswordOrPath),
    ("authorization", Says::Authorization),
    ("apikey", Says::Key),
    ("apitoken", Says::Key),
    ("apisecret", Says::Key),
    ("accesstoken", Says::Key),
    ("accesskeysecret", Says::Key),
    ("authtoken", Says::Key),
    ("authkey", Says::Key),
    ("refreshtoken", Says::Key),
    ("idtoken", Says::Key),
    ("bearertoken", Says::Key),
    ("sessiontoken", Says::Key),
    ("securitytoken", Says::Key),
    ("privatetoken", Says::Key),
    ("deploytoken", Says::Key),
    ("clientsecret", Says::Key),
    ("appsecret", Says::Key),
    ("sharedsecret", Says::Key),
    ("signingsecret", Says::Key),
    ("webhooksecret", Says::Key),
    ("consumersecret", Says::Key),
    ("tokensecret", Says::Key),
    ("jwtsecret", Says::Key),
    ("secretkey", Says::Key),
    ("secretaccesskey", Says::Key),
    ("secretkeybase", Says::Key),
    ("privatekey", Says::Key),
    ("signingkey", Says::Key),
    ("encryptionkey", Says::Key),
    ("masterkey", Says::Key),
    ("accountkey", Says::Key),
    ("sharedaccesskey", Says::Key),
    ("accesskey", Says::Perhaps),
    ("integrationkey", Says::Perhaps),
    ("servicekey", Says::Perhaps),
    ("routingkey", Says::Perhaps),
    ("xamzsignature", Says::Perhaps),
    ("xgoogsignature", Says::Perhaps),
];

/// Last words of names that are longer words' endings too, such as `pass` of `bypass`.
const LAST_WORDS: [(&str, Says); 5] = [
    ("secret", Says::Perhaps),
    ("token", Says::Perhaps),
    ("pass", Says::PerhapsAssigned),
    ("auth", Says::Perhaps),
    ("sig", Says::PerhapsAssigned),
];

/// Names that have no Latin letters.
const CHINESE: [(&str, Says); 4] =
    [("密码", Says::Password), ("密碼", Says::Password), ("口令", Says::Password), ("密钥", Says::Key)];

/// As much of a name as is looked at.
pub(super) const NAME_BYTES_MAX: usize = 64;

/// What a name says; nothing, as most do.
pub(super) fn says(name: &str) -> Option<Says> {
    if let Some((_, says)) = CHINESE.iter().find(|(word, _)| name.ends_with(word)) {
        return Some(*says);
    }
    let name = &name[name.ceil_char_boundary(name.len().saturating_sub(NAME_BYTES_MAX))..];
    // `api_keys`, `DB_PASSWORD_2`.
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit() || "_-. ".contains(c));
    let name = name.strip_suffix(['s', 'S']).filter(|one| !one.ends_with(['s', 'S'])).unwrap_or(name);
    let flat: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    let by_end = ENDS.iter().find(|(end, _)| flat.ends_with(end));
    let last = last_word(name).to_ascii_lowercase();
    by_end.or_else(|| LAST_WORDS.iter().find(|(word, _)| last == *word)).map(|(_, says)| *says)
}

/// The last word of `dbPassword`, `DB_PASSWORD`, `db.password`.
fn last_word(name: &str) -> &str {
    let bytes = name.as_bytes();
    let begins = |at: &usize| {
        let (before, here) = (bytes[at - 1], bytes[*at]);
        !before.is_ascii_alphanumeric() || (before.is_ascii_lowercase() && here.is_ascii_uppercase())
    };
    let start = (1..bytes.len()).rev().find(begins).unwrap_or(0);
    name.get(start..).unwrap_or(name)
}
