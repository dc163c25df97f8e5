//! `km explain`.

use km_server::code::Code;
use serde_json::{Value, json};

use crate::checks::{self, Check};
use crate::cli::Global;
use crate::console::Console;
use crate::failure::{Ending, Failure};

pub(super) fn run(global: &Global, code: Option<&str>) -> Result<Ending, Failure> {
    let console = Console::new(global);
    let Some(wanted) = code else { return list(console) };
    let Some((described, page)) = explained(wanted) else {
        return Err(Failure::Usage(format!("there is no code `{wanted}`; `km explain` lists them")));
    };
    if console.json {
        console.value(&described)?;
    } else {
        console.line(page.trim_end())?;
    }
    Ok(Ending::Done)
}

/// A problem of the API or a check of some room, with its page.
fn explained(wanted: &str) -> Option<(Value, &'static str)> {
    if let Some(code) = Code::from_id(&wanted.to_ascii_uppercase()) {
        return Some((problem(code), code.page()));
    }
    checks::find(wanted).map(|found| (check(found), found.page))
}

fn list(console: Console) -> Result<Ending, Failure> {
    if console.json {
        let problems = Code::ALL.iter().map(|code| problem(*code));
        console.value(&problems.chain(checks::ALL.iter().map(|found| check(*found))).collect::<Vec<_>>())?;
        return Ok(Ending::Done);
    }
    let row = |code: &Code| {
        let again = if code.is_retryable() { "yes" } else { "no" };
        vec![code.id().to_owned(), code.status().to_string(), again.to_owned(), code.title().to_owned()]
    };
    console.table(&["problem", "status", "try again", "title"], Code::ALL.iter().map(row).collect())?;
    console.line("")?;
    let row = |check: &Check| vec![check.code.to_owned(), check.title().to_owned()];
    console.table(&["check", "title"], checks::ALL.iter().map(row).collect())?;
    Ok(Ending::Done)
}

fn problem(code: Code) -> Value {
    json!({
        "code": code.id(),
        "title": code.title(),
        "status": code.status(),
        "retryable": code.is_retryable(),
        "page": code.page(),
    })
}

fn check(check: Check) -> Value {
    json!({ "code": check.code, "title": check.title(), "page": check.page })
}
