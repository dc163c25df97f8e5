//! The document that describes the calls, held against the server that serves it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

mod harness;

use harness::http::Call;
use harness::{Place, Server, items};
use serde_json::Value;

const SCOPES: [&str; 4] = ["write", "read", "redrive", "admin"];

/// One described call.
struct Operation {
    method: String,
    path: String,
    described: Value,
}

impl Operation {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The scope that it says it needs.
    fn scope(&self) -> &str {
        let [security] = items(&self.described["security"]) else { panic!("{}: one way in", self.name()) };
        let [scope] = items(&security["key"]) else { panic!("{}: one scope", self.name()) };
        scope.as_str().unwrap()
    }

    /// A call of it about something that is not there.
    fn call(&self) -> Call {
        let path = self.path.split('/').map(|segment| match segment.split_once('}') {
            Some((_, action)) => format!("never{action}"),
            None => segment.to_owned(),
        });
        let call = Call::new(&self.method, &path.collect::<Vec<_>>().join("/"));
        call.body("{}").header("Content-Type", "application/json")
    }
}

fn operations(document: &Value) -> Vec<Operation> {
    let paths = document["paths"].as_object().unwrap().iter();
    let of_path = |(path, methods): (&String, &Value)| {
        let methods = methods.as_object().unwrap().iter().filter(|(_, described)| described.is_object());
        let operation = |(method, described): (&String, &Value)| Operation {
            method: method.to_ascii_uppercase(),
            path: path.clone(),
            described: described.clone(),
        };
        methods.map(operation).collect::<Vec<_>>()
    };
    let operations: Vec<_> = paths.flat_map(of_path).collect();
    assert!(operations.len() >= 25, "{}", operations.len());
    operations
}

fn document(server: &Server) -> Value {
    server.get("/openapi.json")
}

/// Every `$ref` below a value.
fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            let own = fields.get("$ref").and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(fields.values().flat_map(references)).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

#[test]
fn the_document_says_what_it_is_and_every_reference_leads_somewhere() {
    let place = Place::new();
    let document = document(&place.serve(&[]));
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    assert_eq!(document["components"]["securitySchemes"]["key"]["scheme"], "bearer");
    let references = references(&document);
    assert!(references.len() > 20);
    for reference in references {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
}

#[test]
fn every_call_is_described_with_its_answers_and_its_scope() {
    let place = Place::new();
    for operation in operations(&document(&place.serve(&[]))) {
        let (name, described) = (operation.name(), &operation.described);
        let told = |field: &str| described[field].as_str().is_some_and(|text| text.len() > 10);
        assert!(told("description") || told("summary"), "{name} says what it does: {described:#}");
        let answers = described["responses"].as_object().unwrap();
        assert!(answers.keys().any(|status| status.starts_with('2')), "{name} has a good answer");
        let problem = &answers["default"]["content"]["application/problem+json"]["schema"]["$ref"];
        assert_eq!(problem, "#/components/schemas/Problem", "{name}");
        assert!(SCOPES.contains(&operation.scope()), "{name}: {}", operation.scope());
    }
}

#[test]
fn every_parameter_of_a_path_is_described() {
    let place = Place::new();
    for operation in operations(&document(&place.serve(&[]))) {
        let named = operation.path.split('{').skip(1).map(|part| part.split('}').next().unwrap());
        let parameters = operation.described["parameters"].as_array().cloned().unwrap_or_default();
        let described = parameters.iter().filter(|parameter| parameter["in"] == "path");
        let described: Vec<_> = described.map(|parameter| parameter["name"].as_str().unwrap()).collect();
        assert_eq!(named.collect::<Vec<_>>(), described, "{}", operation.name());
    }
}

#[test]
fn no_described_call_is_open_once_there_are_keys() {
    let place = Place::new();
    place.key(&["admin"]);
    let server = place.serve(&[]);
    for operation in operations(&document(&server)) {
        let problem = server.call(&operation.call()).expect(401);
        assert_eq!(problem["code"], "KM0022", "{}", operation.name());
    }
}

#[test]
fn every_described_call_is_forbidden_to_a_key_of_the_other_scopes() {
    let place = Place::new();
    // A key with the scope `admin` may do everything.
    let others = |scope: &str| {
        let others = SCOPES.into_iter().filter(|other| *other != scope && *other != "admin");
        place.key(&others.collect::<Vec<_>>())
    };
    let keys = SCOPES.map(|scope| (scope, others(scope)));
    let server = place.serve(&[]);
    for operation in operations(&document(&server)) {
        let (_, key) = keys.iter().find(|(scope, _)| *scope == operation.scope()).unwrap();
        let problem = server.call(&operation.call().key(key)).expect(403);
        assert_eq!(problem["code"], "KM0023", "{}", operation.name());
    }
}

#[test]
fn every_described_call_lets_its_own_scope_in() {
    let place = Place::new();
    let keys = SCOPES.map(|scope| (scope, place.key(&[scope])));
    let server = place.serve(&[]);
    for operation in operations(&document(&server)) {
        let (_, key) = keys.iter().find(|(scope, _)| *scope == operation.scope()).unwrap();
        let status = server.call(&operation.call().key(key)).status;
        assert!(!matches!(status, 401 | 403 | 405 | 500..), "{}: {status}", operation.name());
    }
}
