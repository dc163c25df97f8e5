//! What holds for every text: twice is once, a limit is kept, and the work is linear.

use std::time::Instant;

use proptest::prelude::*;

use super::*;

/// Pieces that mean something to the readers, and pieces that glue them together.
pub(super) fn any_text() -> impl Strategy<Value = String> {
    let token = (0..TOKENS.len()).prop_map(|nth| TOKENS[nth].1.concat());
    let form =
        (0..FORMS.len()).prop_map(|nth| format!("{}{}{}", FORMS[nth].0, FORMS[nth].1.concat(), FORMS[nth].2));
    let start = (0..FORMS.len()).prop_map(|nth| FORMS[nth].0.to_owned());
    let ordinary = (0..zoo::ORDINARY.len()).prop_map(|nth| zoo::ORDINARY[nth].to_owned());
    let glue = prop::sample::select(vec![
        "",
        " ",
        "\n",
        "\"",
        "'",
        "`",
        "\\",
        "\\n",
        "\\\"",
        "=",
        ":",
        "：",
        "@",
        "/",
        "(",
        ")",
        "[",
        "]",
        "{",
        "<",
        ">",
        ",",
        ";",
        "&",
        "-",
        "$",
        "%",
        "*",
        ".",
        "…[cut]",
        "[redacted:jwt:0a1b2c3d]",
        "[redacted:",
        "磁盘",
        "é",
        "\u{1a}",
    ]);
    let piece = prop_oneof![token, form, start, ordinary, glue.prop_map(str::to_owned), "\\PC{0,6}"];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn twice_is_once(text in any_text()) {
        let once = redact(text);
        prop_assert_eq!(redact(once.clone()), once.clone());
        prop_assert!(!holds_secret(&once));
    }

    #[test]
    fn a_limit_is_kept_without_half_a_placeholder_and_twice_is_once(text in any_text(), max in 64_usize..400) {
        let once = redact_within(text, max);
        prop_assert!(once.len() <= max);
        prop_assert_eq!(redact_within(once.clone(), max), once.clone());
        let begun = once.rfind("[redacted").filter(|at| scan::placeholder_len(&once[*at..]).is_none());
        // A text can bring such a beginning itself.
        prop_assert!(begun.is_none_or(|at| !once[at..].ends_with(text::CUT) || once[at..].contains("[redacted:…") || once[at..].contains("[redacted:")));
    }
}

#[test]
fn a_cut_never_goes_through_a_placeholder() {
    let text = format!("{} password=hunter22", "x".repeat(100));
    let whole = redact(text.clone());
    for max in 60..=whole.len() {
        let fit = redact_within(text.clone(), max);
        assert!(fit.len() <= max);
        assert!(fit.contains("[redacted:credential:") == fit.contains(&whole[whole.len() - 9..]), "{fit}");
    }
}

/// Texts made to be read again and again. Were the work quadratic, each of them would take minutes.
#[test]
fn the_work_is_linear_whatever_a_text_repeats() {
    let repeated = [
        "password=",
        "pwd=(",
        "pwd=%",
        "pwd=$x",
        "\"password\": \"",
        "password: ",
        "api_key: ",
        "key",
        "secret_",
        "token-",
        "eyJ",
        "-eyJ",
        ".eyJ.",
        "ghp_",
        "-sk-",
        "km_-",
        ":AA",
        "1234567890:AA",
        "://",
        "a://b:",
        "a://b:x@@",
        "a://b:@",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\nA: b\n",
        "bearer ",
        "basic a",
        "Authorization: ",
        "authorization:",
        "Authorization: Digest a=",
        "curl ",
        "curl -u ",
        "curl -u a:b ",
        "mysql -p",
        "login -p ",
        "identified by '",
        "@tcp(",
        "a:b@tcp(",
        "[redacted:",
        "[redacted:jwt:0a1b2c3d]",
        "password=[redacted:jwt:0a1b2c3d]",
        "\\",
        "\\\"",
        "\"",
        "(",
        "pass(",
        "密码",
        "密码：",
        "密码为",
        "<password>",
        "hooks.slack.com/services/",
        "-p hunter2 ",
        "\n",
        "é",
        "password=\\\\\\\"",
    ];
    // Once, so that no text pays for the building of the search.
    redact("password".to_owned());
    for piece in repeated {
        let text = piece.repeat((256 << 10) / piece.len());
        #[expect(clippy::disallowed_methods, reason = "the time that passes is the subject")]
        let begun = Instant::now();
        drop(redact_payload(text.as_bytes()));
        let took = begun.elapsed();
        assert!(took.as_secs() < 10, "{piece:?} took {took:?}");
    }
}
