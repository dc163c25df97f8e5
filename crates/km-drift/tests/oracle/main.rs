//! What km reads out of settings classes, held against the library itself: names of variables, defaults, and what
//! becomes of texts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a failed expectation is the test's verdict, and its figures are shown"
)]

mod venv;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use km_drift::{Default, Extraction, Parsed, Reading, Setting, Source, Type, Value, extract, only_cosmetic};
use serde_json::Value as Json;

/// Fields that the library must have, so that a class which went missing is noticed.
const FIELDS_MIN: usize = 120;
/// Most fields of a hundred whose default may be unknown.
const UNKNOWN_PERCENT_MAX: usize = 3;

/// Types, each tried with every text.
const TYPES: [&str; 38] = [
    "bool",
    "int",
    "float",
    "str",
    "bytes",
    "Decimal",
    "Path",
    "Optional[int]",
    "Optional[bool]",
    "Optional[str]",
    "List[str]",
    "List[int]",
    "list[bool]",
    "set[int]",
    "Tuple[int, str]",
    "tuple[int, ...]",
    "Dict[str, int]",
    "Dict[str, str]",
    "Optional[List[str]]",
    "Union[int, str]",
    "Union[bool, int]",
    "Union[str, List[str]]",
    "Literal['dev', 'prod']",
    "Literal[1, 2]",
    "Color",
    "Level",
    "SecretStr",
    "HttpUrl",
    "AnyUrl",
    "List[AnyHttpUrl]",
    "PositiveInt",
    "conint(ge=2, lt=10)",
    "Annotated[str, Field(min_length=2, max_length=4)]",
    "Annotated[list[str], NoDecode]",
    "Json",
    "Json[List[int]]",
    "Any",
    "Mode",
];

/// Texts that variables are given.
const TEXTS: [&str; 64] = [
    "",
    " ",
    "true",
    "True",
    "TRUE",
    "tRuE",
    "false",
    "1",
    "0",
    "2",
    "yes",
    "no",
    "y",
    "n",
    "on",
    "off",
    "t",
    "f",
    "Y",
    " true ",
    "enabled",
    "42",
    " 42 ",
    "+42",
    "-42",
    "007",
    "1_000",
    "1__0",
    "_1",
    "1_",
    "1.0",
    "1.5",
    "1.",
    ".5",
    "1e3",
    "inf",
    "nan",
    "0x10",
    "null",
    "None",
    "[]",
    "{}",
    "[1, 2]",
    "[\"a\", \"b\"]",
    "a,b",
    "1,2",
    "[true]",
    "[\"1\"]",
    "[1, \"a\"]",
    "{\"a\": 1}",
    "{\"a\": \"1\"}",
    "\"a\"",
    "dev",
    "red",
    "RED",
    "fast",
    "http://example.org",
    "http://example.org:80/",
    "ftp://x",
    "example.org",
    "[\"http://a\"]",
    "http://",
    "[\"a\"",
    "日本",
];

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle")
}

fn ask(folder: &Path, what: &str, of: &str) -> Vec<Json> {
    let asked = Command::new(venv::python())
        .env_clear()
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .args(["-W", "ignore"])
        .arg(here().join("ask.py"))
        .args([what, of])
        .current_dir(folder)
        .output()
        .expect("the oracle's Python starts");
    assert!(asked.status.success(), "the oracle failed: {}", String::from_utf8_lossy(&asked.stderr));
    serde_json::from_slice(&asked.stdout).expect("the oracle answers in JSON")
}

fn extracted(folder: &Path, files: &[&str]) -> Extraction {
    let source = Source {
        files: files.iter().map(|file| folder.join(file)).collect(),
        root: Some(folder.to_owned()),
        ..Source::default()
    };
    extract(&source).expect("settings are read")
}

/// A value as the oracle prints it.
fn as_printed(value: &Value) -> Json {
    match value {
        Value::Set(items) => {
            let mut items: Vec<Json> = items.iter().map(as_printed).collect();
            items.sort_by_key(ToString::to_string);
            serde_json::json!({ "set": items })
        }
        Value::List(items) => items.iter().map(as_printed).collect(),
        Value::Map(items) => {
            let pair = |(key, value): &(Value, Value)| (key.plain(), as_printed(value));
            items.iter().map(pair).collect::<serde_json::Map<_, _>>().into()
        }
        Value::Float(number) if number.is_infinite() || number.is_nan() => {
            number.to_string().to_lowercase().into()
        }
        other => other.to_json(),
    }
}

fn same(ours: &Json, theirs: &Json) -> bool {
    let (ours, theirs) = (Value::from_json(ours), Value::from_json(theirs));
    ours.same(&theirs) || only_cosmetic(&ours, &theirs)
}

/// Every field of a module, as the library and as km see it.
fn compare_names(module: &str, files: &[&str]) {
    let theirs = ask(&here(), "names", module);
    let extraction = extracted(&here(), files);
    let ours: Vec<&Setting> =
        extraction.settings.iter().filter(|setting| !setting.owner.contains(['.', '/'])).collect();
    let mut wrong = Vec::new();
    let mut unknown = Vec::new();
    for field in &theirs {
        let (class, name) = (field["class"].as_str().unwrap(), field["field"].as_str().unwrap());
        let names: Vec<String> =
            field["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
        let has_names = |setting: &&&Setting| {
            names.iter().all(|name| setting.names.iter().any(|known| known.is(name)))
                && (setting.names.len() == names.len() || class == "Environment")
        };
        let own = ours.iter().find(|setting| setting.owner == class && setting.field == name);
        // What is inherited unchanged is reported once, with the base.
        let Some(setting) =
            own.or_else(|| ours.iter().filter(has_names).find(|setting| setting.field == name))
        else {
            wrong.push(format!("{class}.{name} was not found"));
            continue;
        };
        if !has_names(&setting) {
            wrong.push(format!("{class}.{name} is set by {names:?}, km says {:?}", setting.names));
        }
        match &setting.default {
            Default::Unknown => unknown.push(format!("{class}.{name}")),
            Default::Required if field["required"] == true => {}
            Default::Value(value)
                if field["required"] == false && same(&as_printed(value), &field["default"]) => {}
            other => wrong.push(format!("{class}.{name} is {field}, km says {other:?}")),
        }
    }
    for setting in &ours {
        let known =
            theirs.iter().any(|field| field["class"] == *setting.owner && field["field"] == *setting.field);
        if !known {
            wrong.push(format!("{}.{} is no field", setting.owner, setting.field));
        }
    }
    println!(
        "{module}: {} fields, {} unknown {unknown:?}, {} wrong",
        theirs.len(),
        unknown.len(),
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(unknown.len() * 100 <= theirs.len() * UNKNOWN_PERCENT_MAX, "unknown: {unknown:?}");
    if module == "two" {
        assert!(theirs.len() >= FIELDS_MIN, "{} fields", theirs.len());
    }
}

#[test]
fn names_and_defaults_are_those_of_pydantic_settings() {
    compare_names("two", &["two.py", "shared/base.py"]);
}

#[test]
fn names_and_defaults_are_those_of_pydantic_1() {
    compare_names("one", &["one.py"]);
}

/// A module with one class for each type, and the table of types and texts.
fn table(folder: &Path, settings: &str, header: &str, types: &[&str]) -> Vec<(String, String)> {
    let mut source = header.to_owned();
    let mut rows = Vec::new();
    for (at, wanted) in types.iter().enumerate() {
        source.push_str(&format!("class T{at}({settings}):\n    x: {wanted}\n\n"));
        rows.extend(TEXTS.iter().map(|text| (format!("T{at}"), (*text).to_owned())));
    }
    std::fs::write(folder.join("table.py"), source).unwrap();
    std::fs::write(folder.join("table.json"), serde_json::to_string(&rows).unwrap()).unwrap();
    rows
}

const HEADER_TWO: &str = "from typing import *\nfrom decimal import Decimal\nfrom enum import Enum, IntEnum\nfrom pathlib import Path\nfrom pydantic import *\nfrom pydantic import Json, conint\nfrom pydantic_settings import BaseSettings, NoDecode\n\nclass Color(str, Enum):\n    RED = 'red'\n\nclass Level(IntEnum):\n    LOW = 1\n\nclass Mode(Enum):\n    FAST = 'fast'\n    ONE = 1\n\n";
const HEADER_ONE: &str = "from typing import *\nfrom enum import Enum\nfrom pathlib import Path\nfrom pydantic.v1 import *\nfrom pydantic.v1 import BaseSettings\n\nclass Color(str, Enum):\n    RED = 'red'\n\n";

fn compare_values(settings: &str, header: &str, types: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let rows = table(folder.path(), settings, header, types);
    let theirs = ask(folder.path(), "values", "table");
    let extraction = extracted(folder.path(), &["table.py"]);
    let by_class: BTreeMap<&str, &Setting> =
        extraction.settings.iter().map(|setting| (setting.owner.as_str(), setting)).collect();
    let (mut wrong, mut undecided) = (Vec::new(), 0);
    for ((class, text), theirs) in rows.iter().zip(&theirs) {
        let setting = by_class.get(class.as_str()).unwrap_or_else(|| panic!("{class} was not found"));
        let wanted = match &setting.reading {
            Reading::Typed(Type::Other(written), _) => panic!("the type {written} is not known"),
            Reading::Typed(wanted, _) => wanted,
            Reading::Expression(_) | Reading::Own(_) => panic!("{class} is no field"),
        };
        let has = |what: &str| theirs.get(what).is_some();
        match (setting.read(&setting.names[0], text), theirs.get("value")) {
            (Some(Parsed::Value(ours)), Some(theirs)) if same(&as_printed(&ours), theirs) => {}
            (Some(Parsed::Refused(_)), None) if has("refused") => {}
            (None, None) if has("unset") => {}
            // The default of an optional field.
            (None, Some(Json::Null)) => {}
            (Some(Parsed::Undecided(_)), _) => undecided += 1,
            (ours, _) => wrong.push(format!("{wanted:?} with {text:?}: {theirs}, km says {ours:?}")),
        }
    }
    println!("{} pairs, {undecided} undecided, {} wrong", rows.len(), wrong.len());
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(undecided, 0);
}

#[test]
fn texts_become_what_pydantic_2_makes_of_them() {
    compare_values("BaseSettings", HEADER_TWO, &TYPES);
}

#[test]
fn parts_of_json_documents_become_what_pydantic_2_makes_of_them() {
    let alias =
        |path: &str| format!("Annotated[Optional[int], Field(validation_alias=AliasPath({path}))]  = None");
    let types = [alias("'X', 0"), alias("'X', -1"), alias("'X', 'a'"), alias("'X'")];
    compare_values("BaseSettings", HEADER_TWO, &types.each_ref().map(String::as_str));
}

#[test]
fn texts_become_what_pydantic_1_makes_of_them() {
    let types = [
        "bool",
        "int",
        "float",
        "str",
        "Optional[int]",
        "List[str]",
        "List[int]",
        "Set[int]",
        "Dict[str, int]",
        "Dict[str, str]",
        "Optional[List[str]]",
        "Union[int, str]",
        "Color",
        "SecretStr",
        "PositiveInt",
    ];
    compare_values("BaseSettings", HEADER_ONE, &types);
}

#[test]
fn a_class_may_say_how_texts_are_read() {
    let base = "class Base(BaseSettings):\n    model_config = {'env_ignore_empty': True, 'env_parse_none_str': 'null', \
                'env_parse_enums': True}\n\n";
    let header = format!("{HEADER_TWO}{base}");
    let types =
        ["str", "Optional[int]", "Optional[List[str]]", "List[str]", "Color", "Level", "Optional[Color]"];
    compare_values("Base", &header, &types);
    let header = header.replace("'env_parse_enums': True", "'enable_decoding': False");
    compare_values("Base", &header, &["List[str]", "Union[str, List[str]]", "Dict[str, int]"]);
}
