//! `km explain`.

use km_server::code::Code;

use crate::cli::Global;
use crate::console::Console;
use crate::failure::{Ending, Failure};

pub(super) fn run(global: &Global, code: Option<&str>) -> Result<Ending, Failure> {
    let console = Console::new(global);
    let Some(wanted) = code else { return list(console) };
    let Some(code) = Code::from_id(&wanted.to_ascii_uppercase()) else {
        return Err(Failure::Usage(format!("there is no code `{wanted}`; `km explain` lists them")));
    };
    if console.json {
        console.value(&described(code))?;
    } else {
        console.line(code.page().trim_end())?;
    }
    Ok(Ending::Done)
}

fn list(console: Console) -> Result<Ending, Failure> {
    if console.json {
        console.value(&Code::ALL.iter().map(|code| described(*code)).collect::<Vec<_>>())?;
        return Ok(Ending::Done);
    }
    let row = |code: &Code| {
        let again = if code.is_retryable() { "yes" } else { "no" };
        vec![code.id().to_owned(), code.status().to_string(), again.to_owned(), code.title().to_owned()]
    };
    console.table(&["code", "status", "try again", "title"], Code::ALL.iter().map(row).collect())?;
    Ok(Ending::Done)
}

fn described(code: Code) -> serde_json::Value {
    serde_json::json!({
        "code": code.id(),
        "title": code.title(),
        "status": code.status(),
        "retryable": code.is_retryable(),
        "page": code.page(),
    })
}
