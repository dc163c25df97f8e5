//! A zoo of secrets that open nothing. They are put together when a test runs, so that no scanner finds them in
//! this file, and no search for them finds anything but a leak.

/// One secret, the kind that km names it by, and a sentence that carries it.
#[derive(Clone, Debug)]
pub struct Secret {
    pub kind: &'static str,
    pub text: String,
    pub sentence: String,
}

fn secret(kind: &'static str, sentence: &str, parts: &[&str]) -> Secret {
    let text = parts.concat();
    Secret { kind, sentence: sentence.replace("{}", &text), text }
}

/// Every kind that km promises to take out. The middle of each is found nowhere else.
pub fn zoo() -> Vec<Secret> {
    let key = "PRIVATE KEY-----";
    let pem = |word: &str| format!("-----{word} RSA {key}");
    let (begin, end) = (pem("BEGIN"), pem("END"));
    vec![
        secret("bearer", "Authorization: Bearer {}", &["mF9B5f41", "JqMzooBearer77"]),
        secret("basic", "Authorization: Basic {}", &["dXNlcjpo", "dW50ZXIyem9vYmFzaWM3"]),
        secret("credential", "curl -u admin:{} https://example.org", &["pa55zoo", "Curl9x!"]),
        secret("aws", "the key id {} was used", &["AKI", "AZOOIDNN7EXAMPL3Q"]),
        secret("credential", "aws_secret_access_key = {}", &["wJalrXUtnFEMIzoo", "K7MDENGbPxRfiCYEXAMPLEKE"]),
        secret("gcp", "{} is the maps key", &["AI", "zaSyZoo1234567890abcdefghijklmnopqrs", "t"]),
        secret("azure", "AccountKey={};Endpoint=x", &["Zm9vem9vYXp1cmVmb29iYXJm", "b29iYXJmb29iYXJmb28x"]),
        secret("github", "cloned with {}", &["gh", "p_", "zoo3456789abcdefghijklmnopqrstuvwxyzAB"]),
        secret("gitlab", "cloned with {}", &["glp", "at-", "zooefghijk0123456789"]),
        secret("slack", "posted with {}", &["xo", "xb-", "776655443322-zooABCDEF"]),
        secret("slack", "https://hooks.slack.com/{}", &["serv", "ices/T000/B000/zooXXXXXXXXXXXXXXXXXXXXX"]),
        secret("chat", "https://discord.com/api/webhooks/{}", &["99887766", "5/zooefghijklmnop_QRS"]),
        secret("telegram", "bot {} answers", &["987654321", ":AA", "zoodefghijklmnopqrstuvwxyz0123456"]),
        secret("token", "charged with {}", &["sk_", "live_", "zoo3456789abcdefABCDEF"]),
        secret("token", "vault said {}", &["hv", "s.", "CAESIJzoodefghijklmnopqrstuv"]),
        secret("jwt", "{} is the session", &["ey", "JhbGciOiJIUzI1", ".ey", "Jzdem9vIn0abc", ".c2lnbmF0emU"]),
        secret("dsn", "postgres://km:{}@db.internal:5432/km", &["s3cr3t", "-zoo-pass"]),
        secret("dsn", "redis://:{}@cache:6379/0", &["hunter", "zoo22"]),
        secret("kubeconfig", "client-key-data: {}", &["LS0tLS1C", "zooSUdJTiBSU0EgUFJJVkFURQo="]),
        secret("credential", "    token: {}", &["QyAbCdEfGh", "IjKlMnzooQrStUvWxYz0123"]),
        secret("credential", "password={}", &["correct", "-zoo-horse-9"]),
        secret("credential", "{'api_key': '{}'}", &["0123zoo", "789abcdef"]),
        secret("pem", "the key is\n{}\nof the host", &[&begin, "\nMIIEowzoo\nabc\n", &end]),
    ]
}

impl Secret {
    /// The placeholder in a text that stands where the secret stood.
    pub fn placeholder_in(&self, text: &str) -> String {
        let start = format!("[redacted:{}:", self.kind);
        let at = text.find(&start).unwrap_or_else(|| panic!("no {start}…] in {text}"));
        let end = at + text[at..].find(']').unwrap();
        let hash = &text[at + start.len()..end];
        assert!(hash.len() == 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
        text[at..=end].to_owned()
    }

    /// What would give it away in any case: itself, and the piece of it that an index would take as a word.
    pub fn traces(&self) -> [String; 2] {
        let mut words = self.text.split(|c: char| !c.is_ascii_alphanumeric());
        let word = words.find(|word| word.len() >= 8 && word.to_ascii_lowercase().contains("zoo"));
        [self.text.as_str(), word.unwrap_or(&self.text)].map(str::to_ascii_lowercase)
    }
}
