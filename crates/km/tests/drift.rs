//! `km drift` as it is used: real files, each trap, each exit code.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a failed expectation is the test's verdict, and one promise is about real time"
)]

mod harness;

use std::path::Path;

use harness::{Ended, Place};
use serde_json::Value;

const SETTINGS: &str = r#"
from typing import List, Optional
from pydantic import AnyHttpUrl, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_file=".env")

    AI_FALLBACK_ORDER: List[str] = ["ollama", "openai"]
    PROMETHEUS_URL: str = "http://prometheus:9090"
    OLLAMA_URL: str = "http://ollama:11434"
    ARGOCD_URL: str = "https://argocd.example.org"
    timeout: int = Field(30, ge=1)
    debug: bool = False
    secret_key: SecretStr = SecretStr("changeme")
    database_url: str
    note: Optional[str] = None
"#;

/// What is deployed when nothing drifts.
const ENV: &str = "AI_FALLBACK_ORDER=[\"ollama\", \"openai\"]\nPROMETHEUS_URL=http://prometheus:9090\nDATABASE_URL=postgres://km:hunter2@db/km\nSECRET_KEY=quite-random\n";

fn place() -> Place {
    let place = Place::new();
    place.file("app/__init__.py", "");
    place.file("app/config.py", SETTINGS);
    place.file("ok.env", ENV);
    place
}

/// The document, and the exit code.
fn drift(place: &Place, arguments: &[&str]) -> (i32, Value) {
    let ended = place.km(&[&["drift", "--format", "json", "--code", "app"], arguments].concat());
    let document = serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("{}{}", ended.out, ended.err));
    (ended.code, document)
}

fn deployed(place: &Place, name: &str, text: &str, more: &[&str]) -> (i32, Value) {
    let file = place.file(name, text);
    drift(place, &[&["--deployed", file.as_str()], more].concat())
}

fn row<'a>(document: &'a Value, name: &str) -> &'a Value {
    let rows = document["summary"]["rows"].as_array().unwrap();
    rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name}: {document}"))
}

fn status<'a>(document: &'a Value, name: &str) -> &'a str {
    row(document, name)["status"].as_str().unwrap()
}

fn codes(document: &Value) -> Vec<&str> {
    document["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

#[test]
fn what_matches_ends_with_0_and_is_counted() {
    let place = place();
    let (code, document) = drift(&place, &["--deployed", "ok.env"]);
    assert_eq!(code, 0, "{document}");
    assert_eq!(status(&document, "AI_FALLBACK_ORDER"), "match");
    assert_eq!(status(&document, "SECRET_KEY"), "differs");
    assert_eq!(status(&document, "OLLAMA_URL"), "not-set");
    let summary = &document["summary"];
    assert_eq!(
        (&summary["compared"], &summary["unknown"], &summary["skipped"]),
        (&4.into(), &0.into(), &0.into())
    );
}

#[test]
fn a_listed_setting_that_differs_ends_with_1_and_others_are_information() {
    let place = place();
    let drifted = ENV.replace("prometheus:9090", "prometheus:9091") + "TIMEOUT=60\n";
    let (code, document) = deployed(&place, "bad.env", &drifted, &[]);
    assert_eq!(code, 1);
    let first = &document["findings"][0];
    assert_eq!((&first["code"], &first["level"]), (&"DR001".into(), &"error".into()));
    assert_eq!(first["place"]["line"], 2);
    assert_eq!(status(&document, "TIMEOUT"), "differs");
    assert_eq!(row(&document, "TIMEOUT")["violation"], false);
    let (code, _) = deployed(&place, "info.env", &(ENV.to_owned() + "TIMEOUT=60\n"), &[]);
    assert_eq!(code, 0, "an unlisted difference is information");
}

#[test]
fn a_comma_list_is_a_type_error_and_not_a_difference() {
    let place = place();
    let commas = ENV.replace("[\"ollama\", \"openai\"]", "ollama,openai");
    let (code, document) = deployed(&place, "bad.env", &commas, &[]);
    assert_eq!((code, status(&document, "AI_FALLBACK_ORDER")), (1, "type-error"));
    for (text, is) in [
        ("TIMEOUT=0", "type-error"),
        ("TIMEOUT=1_0", "differs"),
        ("TIMEOUT= 30.0", "match"),
        ("DEBUG=enabled", "type-error"),
        ("DEBUG=off", "match"),
        ("NOTE=", "differs"),
    ] {
        let (_, document) = deployed(&place, "one.env", &format!("{ENV}{text}\n"), &[]);
        assert_eq!(status(&document, text.split('=').next().unwrap()), is, "{text}");
    }
}

#[test]
fn slash_port_and_host_case_are_cosmetic() {
    let place = place();
    let written = ENV.to_owned() + "ARGOCD_URL=https://ArgoCD.example.org:443/\n";
    let (code, document) = deployed(&place, "x.env", &written, &[]);
    assert_eq!((code, status(&document, "ARGOCD_URL")), (0, "cosmetic"));
}

#[test]
fn a_required_setting_that_is_missing_is_said_and_decides_when_listed() {
    let place = place();
    let without = ENV.replace("DATABASE_URL", "OTHER_URL");
    let (code, document) = deployed(&place, "x.env", &without, &[]);
    assert_eq!((code, status(&document, "DATABASE_URL")), (0, "missing-required"));
    assert_eq!(status(&document, "OTHER_URL"), "orphan");
    place.file("p.toml", "must_be_set = [\"DATABASE_URL\"]");
    let (code, document) = deployed(&place, "x.env", &without, &["--policy", "p.toml"]);
    assert_eq!((code, codes(&document)[0]), (1, "DR003"));
}

#[test]
fn secrets_are_compared_and_never_shown() {
    let place = place();
    place.file("p.toml", "must_differ = [\"SECRET_KEY\"]");
    for format in ["text", "json", "sarif", "github"] {
        let ended = place.km(&["drift", "--code", "app", "--deployed", "ok.env", "--format", format]);
        let all = ended.out + &ended.err;
        assert!(
            !all.contains("quite-random") && !all.contains("hunter2") && !all.contains("changeme"),
            "{all}"
        );
    }
    let (code, _) = drift(&place, &["--deployed", "ok.env", "--policy", "p.toml"]);
    assert_eq!(code, 0);
    let placeholder = ENV.replace("quite-random", "changeme");
    let (code, document) = deployed(&place, "x.env", &placeholder, &["--policy", "p.toml"]);
    assert_eq!((code, codes(&document)[0]), (1, "DR009"));
    assert_eq!(row(&document, "SECRET_KEY")["default"], row(&document, "SECRET_KEY")["deployed"]);
    assert!(row(&document, "SECRET_KEY")["default"].as_str().unwrap().starts_with("(secret "));
}

const MANIFESTS: &str = r#"
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: ConfigMap
    metadata: {name: first}
    data:
      PROMETHEUS_URL: http://first:9090
      OLLAMA_URL: http://ollama:11434
      TIMEOUT: "31"
  - apiVersion: v1
    kind: ConfigMap
    metadata: {name: second}
    data:
      PROMETHEUS_URL: http://second:9090
      TIMEOUT: "32"
---
apiVersion: v1
kind: Secret
metadata: {name: known}
data: {key: Y2hhbmdlbWU=}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  template:
    spec:
      initContainers:
        - name: migrate
          env: [{name: TIMEOUT, value: "1"}]
      containers:
        - name: proxy
          env: [{name: PROXY, value: "1"}]
        - name: api
          envFrom:
            - configMapRef: {name: first}
            - configMapRef: {name: second}
            - prefix: X_
              configMapRef: {name: second}
          env:
            - {name: HOST, value: prometheus}
            - {name: PROMETHEUS_URL, value: "http://$(HOST):9090"}
            - {name: ARGOCD_URL, value: "https://$$(HOST)"}
            - name: SECRET_KEY
              valueFrom: {secretKeyRef: {name: known, key: key}}
            - name: DATABASE_URL
              valueFrom: {secretKeyRef: {name: elsewhere, key: url}}
            - name: NOTE
              valueFrom: {fieldRef: {fieldPath: metadata.name}}
"#;

#[test]
fn env_wins_over_env_from_and_of_that_the_later() {
    let place = place();
    let (code, document) = deployed(&place, "all.yaml", MANIFESTS, &[]);
    assert_eq!(document["summary"]["container"], "Deployment/api/api", "the only one that sets a setting");
    assert_eq!(status(&document, "PROMETHEUS_URL"), "match", "$(HOST) is put in");
    assert_eq!(row(&document, "TIMEOUT")["deployed"], "32");
    assert_eq!(row(&document, "ARGOCD_URL")["deployed"], "https://$(HOST)");
    assert_eq!(status(&document, "SECRET_KEY"), "match", "a Secret among the files is read");
    assert_eq!(status(&document, "DATABASE_URL"), "secret");
    assert_eq!(status(&document, "NOTE"), "unresolved-value");
    assert_eq!(status(&document, "X_TIMEOUT"), "orphan");
    assert_eq!(codes(&document).iter().filter(|code| **code == "DR008").count(), 3);
    assert_eq!(code, 1, "ARGOCD_URL must match");
}

#[test]
fn workloads_and_containers_are_told_apart() {
    let place = place();
    let two = format!(
        "{MANIFESTS}---\n{}",
        MANIFESTS.rsplit("---\n").next().unwrap().replace("name: api}", "name: worker}")
    );
    let file = place.file("two.yaml", &two);
    let ended = place.km(&["drift", "--code", "app", "--deployed", &file]);
    assert_eq!(ended.code, 3);
    assert!(
        ended.err.contains("Deployment/api (api)") && ended.err.contains("Deployment/worker (api)"),
        "{}",
        ended.err
    );
    let (_, document) = drift(&place, &["--deployed", &file, "--workload", "Deployment/worker"]);
    assert_eq!(document["summary"]["container"], "Deployment/worker/api");
    let (_, document) = drift(&place, &["--deployed", &file, "--workload", "api", "--container", "migrate"]);
    assert_eq!(row(&document, "TIMEOUT")["deployed"], "1", "an init container only when it is named");
    assert_eq!(place.km(&["drift", "--code", "app", "--deployed", &file, "--workload", "none"]).code, 3);
}

#[test]
fn what_may_come_from_elsewhere_is_not_passed() {
    let place = place();
    let manifest = "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: j}\nspec:\n  jobTemplate:\n    spec:\n      template:\n        spec:\n          containers:\n          - name: j\n            envFrom: [{configMapRef: {name: missing}}]\n            env: [{name: OLLAMA_URL, value: 'http://ollama:11434'}]\n";
    let (code, document) = deployed(&place, "j.yaml", manifest, &[]);
    assert_eq!((code, status(&document, "PROMETHEUS_URL")), (2, "unresolved-value"));
    assert_eq!(status(&document, "OLLAMA_URL"), "match", "env wins whatever envFrom brings");
    let (code, _) = drift(&place, &["--deployed", "j.yaml", "--allow-unknown"]);
    assert_eq!(code, 0);
}

#[test]
fn compose_files_are_read_in_all_their_forms() {
    let place = place();
    place.file("base.env", "TIMEOUT=31\nOLLAMA_URL=http://other\n");
    let compose = "x-env: &env\n  TIMEOUT: 40\nservices:\n  db:\n    image: postgres\n  api:\n    env_file:\n      - base.env\n      - {path: missing.env, required: false}\n    environment:\n      <<: *env\n      PROMETHEUS_URL: http://${HOST:-prometheus}:${PORT-9090}\n      ARGOCD_URL: ${ARGO:?needed}\n      DEBUG:\n      DATABASE_URL: a$${b}\n";
    let (code, document) = deployed(&place, "compose.yaml", compose, &[]);
    assert_eq!(status(&document, "PROMETHEUS_URL"), "match");
    assert_eq!(row(&document, "TIMEOUT")["deployed"], "40");
    assert_eq!(row(&document, "OLLAMA_URL")["deployed"], "http://other");
    assert_eq!(row(&document, "DATABASE_URL")["deployed"], "a${b}");
    assert_eq!(
        (status(&document, "ARGOCD_URL"), status(&document, "DEBUG")),
        ("unresolved-value", "unresolved-value")
    );
    assert_eq!(code, 1);
    place.file(".env", "HOST=elsewhere\nARGO=https://argocd.example.org\nDEBUG=no\n");
    let list = "services:\n  api:\n    environment:\n      - PROMETHEUS_URL=http://${HOST}:9090\n      - ARGOCD_URL=$ARGO\n      - DEBUG\n";
    let (_, document) = deployed(&place, "compose.yaml", list, &[]);
    assert_eq!(
        row(&document, "PROMETHEUS_URL")["deployed"],
        "http://elsewhere:9090",
        ".env beside it counts"
    );
    assert_eq!((status(&document, "ARGOCD_URL"), status(&document, "DEBUG")), ("match", "match"));
}

#[test]
fn compose_files_go_over_each_other() {
    let place = place();
    let service = |timeout: u32| {
        format!("services:\n  api:\n    environment:\n      TIMEOUT: {timeout}\n      DEBUG: 'no'\n")
    };
    for (name, timeout) in [("compose.yaml", 31), ("compose.override.yaml", 32), ("compose.deploy.yaml", 33)]
    {
        place.file(&format!("d/{name}"), &service(timeout));
    }
    let (_, document) = drift(&place, &["--deployed", "d/compose.yaml", "d/compose.deploy.yaml"]);
    assert_eq!(row(&document, "TIMEOUT")["deployed"], "33", "the later wins when both are named");
    let (_, document) = drift(&place, &["--deployed", "d", "--container", "api"]);
    assert_eq!(row(&document, "TIMEOUT")["deployed"], "32", "the override of a folder goes over its base");
    let (_, document) = drift(&place, &["--deployed", "d", "--container", "api of compose.deploy.yaml"]);
    assert_eq!(row(&document, "TIMEOUT")["deployed"], "33");
    assert_eq!(place.km(&["drift", "--code", "app", "--deployed", "d"]).code, 3);
}

#[test]
fn helm_values_come_through_a_map_and_templates_are_unresolved() {
    let place = place();
    place.file(
        "chart/values.yaml",
        "config:\n  prometheusUrl: http://prometheus:9090\n  order: [ollama, openai]\nenv:\n  TIMEOUT: 30\n",
    );
    let map = [
        "--map",
        "config.prometheusUrl=PROMETHEUS_URL",
        "--map",
        "config.order=AI_FALLBACK_ORDER",
        "--map",
        "env.*=*",
    ];
    let (code, document) = drift(&place, &[&["--deployed", "chart/values.yaml"], map.as_slice()].concat());
    assert_eq!(code, 0, "{document}");
    for name in ["PROMETHEUS_URL", "AI_FALLBACK_ORDER", "TIMEOUT"] {
        assert_eq!(status(&document, name), "match", "{name}");
    }
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  PROMETHEUS_URL: {{ .Values.config.prometheusUrl | quote }}\n{{- if .Values.x }}\n  OLLAMA_URL: \"http://ollama:11434\"\n{{- end }}\n  TIMEOUT: \"30\"\n";
    let (code, document) = deployed(&place, "t.yaml", template, &[]);
    assert_eq!((code, status(&document, "PROMETHEUS_URL")), (2, "unresolved-value"));
    assert_eq!(status(&document, "OLLAMA_URL"), "unresolved-value", "it stands under a condition");
    assert_eq!(status(&document, "TIMEOUT"), "match");
    assert_eq!(place.km(&["drift", "--code", "app", "--deployed", "t.yaml", "--map", "nonsense"]).code, 3);
}

#[test]
fn values_that_are_not_text_are_found_with_their_place() {
    let place = place();
    let manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  DEBUG: false\n";
    let (code, document) = deployed(&place, "c.yaml", manifest, &[]);
    assert_eq!((code, codes(&document)[0]), (1, "DR018"));
    assert_eq!(document["findings"][0]["place"]["line"], 5);
    assert_eq!(document["findings"][0]["place"]["column"], 10);
}

#[test]
fn plain_reads_of_the_environment_are_evaluated() {
    let place = place();
    place.file(
        "app/config.py",
        "import os\nfrom app.env import load_bool\nA = int(os.getenv('PORT', '8080'))\nB = os.environ.get('DBG', 'false').lower() in ('1', 'true')\nC = [x.strip() for x in os.getenv('HOSTS', 'a,b').split(',') if x]\nD = load_bool('FLAG', False)\nE = os.environ['NEEDED']\nF = os.getenv('OUTER', os.getenv('INNER', 'x'))\nG = os.getenv('TWICE') and int(os.getenv('TWICE'))\nif 'ASKED' in os.environ:\n    H = os.environ['ASKED']\n\ndef f(name):\n    return os.getenv(name)\n",
    );
    let env = "PORT=0x1\nDBG=TRUE\nHOSTS=a, b\nFLAG=off\nOUTER=x\n";
    let (code, document) = deployed(&place, "e.env", env, &["--reader", "load_bool=bool"]);
    assert_eq!(code, 1);
    let expected = [
        ("PORT", "type-error"),
        ("DBG", "differs"),
        ("HOSTS", "match"),
        ("FLAG", "match"),
        ("NEEDED", "missing-required"),
        ("OUTER", "match"),
        ("INNER", "not-set"),
        ("TWICE", "not-set"),
        ("ASKED", "not-set"),
    ];
    for (name, is) in expected {
        assert_eq!(status(&document, name), is, "{name}");
    }
    assert!(codes(&document).contains(&"DR021"), "a name that is not known is said");
    assert_eq!(place.km(&["drift", "--code", "app", "--deployed", "e.env", "--reader", "x=nothing"]).code, 3);
}

#[test]
fn what_the_code_leaves_open_is_said() {
    let place = place();
    place.file(
        "app/config.py",
        "import sys\nfrom pydantic_settings import BaseSettings\nfrom elsewhere import OtherSettings\nfrom pydantic import Field\n\nclass A(BaseSettings):\n    OLLAMA_URL: str = compute()\n    if sys.platform == 'linux':\n        X: int = 1\n    Y: str = Field('y', env='OLD')\n\nclass B(OtherSettings):\n    Z: int = 1\n",
    );
    let (code, document) = deployed(&place, "e.env", "OLLAMA_URL=x\n", &[]);
    assert_eq!((code, status(&document, "OLLAMA_URL")), (2, "unknown-default"));
    assert_eq!(row(&document, "OLLAMA_URL")["default"], "compute()", "the source text is shown");
    for code in ["DR011", "DR012", "DR017"] {
        assert!(codes(&document).contains(&code), "{code}: {document}");
    }
    let (code, _) = drift(&place, &["--deployed", "e.env", "--allow-unknown"]);
    assert_eq!(code, 0);
}

#[test]
fn bases_in_other_files_are_followed_below_the_root() {
    let place = place();
    place.file("lib/base.py", "from pydantic_settings import BaseSettings\nclass Base(BaseSettings):\n    class Config:\n        env_prefix = 'APP_'\n    level: str = 'info'\n");
    place.file("app/config.py", "from lib.base import Base\nclass Settings(Base):\n    size: int = 1\n");
    let (code, document) = deployed(&place, "e.env", "APP_LEVEL=info\nAPP_SIZE=1\n", &["--root", "."]);
    assert_eq!(
        (code, status(&document, "APP_LEVEL"), status(&document, "APP_SIZE")),
        (0, "match", "match"),
        "{document}"
    );
}

#[test]
fn exceptions_hold_until_their_day() {
    let place = place();
    let bad = ENV.replace("prometheus:9090", "prometheus:9091");
    let policy = |until: &str| {
        format!(
            "must_match = [\"PROMETHEUS_URL\"]\n[[ignore]]\nname = \"PROMETHEUS_URL\"\nreason = \"it moves\"\nuntil = \"{until}\"\n"
        )
    };
    place.file("p.toml", &policy("9999-12-31"));
    let (code, document) = deployed(&place, "x.env", &bad, &["--policy", "p.toml"]);
    assert_eq!((code, &document["summary"]["skipped"]), (0, &1.into()));
    place.file("p.toml", &policy("2020-01-01"));
    let (code, document) = drift(&place, &["--deployed", "x.env", "--policy", "p.toml"]);
    assert_eq!(code, 1);
    assert!(codes(&document).contains(&"DR013") && codes(&document).contains(&"DR001"));
}

#[test]
fn a_policy_that_cannot_be_used_is_refused() {
    let place = place();
    let ended = |text: &str, name: &str| -> Ended {
        let file = place.file(name, text);
        place.km(&["drift", "--code", "app", "--deployed", "ok.env", "--policy", &file])
    };
    let unknown = ended("must_match = []\nmust_mach = []\n", "p.toml");
    assert_eq!(unknown.code, 3);
    assert!(unknown.err.contains("p.toml:2:1") && unknown.err.contains("must_mach"), "{}", unknown.err);
    assert_eq!(ended("must_match: [A\n", "p.yaml").code, 3);
    let (code, document) = {
        place.file("p.toml", "must_match = [\"NOT_THERE\"]");
        drift(&place, &["--deployed", "ok.env", "--policy", "p.toml"])
    };
    assert_eq!((code, codes(&document)[0]), (2, "DR014"));
}

#[test]
fn usage_ends_with_3() {
    let place = place();
    for arguments in [
        ["drift", "--code", "app"].as_slice(),
        &["drift", "--code", "app", "--deployed", "nowhere.yaml"],
        &["drift", "--code", "nowhere", "--deployed", "ok.env"],
        &["drift", "--code", "app", "--deployed", "ok.env", "--format", "xml"],
    ] {
        assert_eq!(place.km(arguments).code, 3, "{arguments:?}");
    }
    assert_eq!(place.km(&["search"]).code, 2, "other verbs keep their code");
    assert_eq!(place.km(&["drift", "--help"]).code, 0);
}

#[test]
fn a_check_of_nothing_does_not_pass() {
    let place = place();
    place.file("empty/x.py", "x = 1\n");
    let ended = place.km(&["drift", "--code", "empty", "--deployed", "ok.env"]);
    assert!(ended.code == 2 && ended.out.contains("DR015"), "{}", ended.out);
    let (code, document) = deployed(&place, "none.env", "# nothing\n", &[]);
    assert_eq!((code, codes(&document).contains(&"DR015")), (2, true));
    let (code, _) = deployed(&place, "other.yaml", "a: 1\n", &[]);
    assert_eq!(code, 2, "a file of another kind");
}

#[test]
fn broken_and_hostile_files_are_named_and_nothing_panics() {
    let place = place();
    let nested = format!("x = {}1{}\n", "(".repeat(60_000), ")".repeat(60_000));
    let sum = format!("x = 1{}\n", "+1".repeat(1_000_000));
    let minus = format!("x = {}1\n", "-".repeat(60_000));
    for (name, text, line) in [
        ("app/syntax.py", "a = 1\nb = (\n", None),
        ("app/nested.py", nested.as_str(), Some(1)),
        ("app/sum.py", sum.as_str(), Some(1)),
        ("app/nul.py", "a = \"\0\"\n", None),
    ] {
        place.file(name, text);
        let (code, document) = drift(&place, &["--deployed", "ok.env"]);
        if codes(&document)[0] == "DR006" {
            assert_eq!(code, 2, "{name}");
            assert_eq!(status(&document, name), "unparsable-file");
            let found = &document["findings"][0]["place"];
            assert!(found["line"].is_u64() && line.is_none_or(|line| found["line"] == line), "{document}");
        }
        std::fs::remove_file(place.path(name)).unwrap();
    }
    place.file("app/minus.py", &minus);
    assert_eq!(drift(&place, &["--deployed", "ok.env"]).0, 0, "deep, and read all the same");
    let broken = [
        ("b.yaml", "a: [1, 2\nb: {", Some(2)),
        ("b.yaml", "a: &a [*a]\n", Some(1)),
        ("b.yaml", "a: 'x\n", None),
        ("b.env", "A=1\nnot a variable\n", Some(2)),
        ("b.env", "A=\"open\n", Some(1)),
    ];
    for (name, text, line) in broken {
        let (code, document) = deployed(&place, name, text, &[]);
        assert_eq!((code, codes(&document).contains(&"DR006")), (2, true), "{text}");
        let findings = document["findings"].as_array().unwrap();
        let found = &findings.iter().find(|finding| finding["code"] == "DR006").unwrap()["place"]["line"];
        assert!(found.is_u64() && line.is_none_or(|line| *found == line), "{text}: {found}");
    }
}

#[test]
fn large_files_and_loops_of_links_end() {
    let place = place();
    place.file("app/large.py", &format!("x = 1\n{}", "# padding\n".repeat(1_100_000)));
    let (code, document) = drift(&place, &["--deployed", "ok.env"]);
    assert_eq!((code, codes(&document)[0]), (2, "DR006"));
    assert!(document["findings"][0]["message"].as_str().unwrap().contains("4 MiB"), "{document}");
    std::fs::remove_file(place.path("app/large.py")).unwrap();
    std::os::unix::fs::symlink(place.path("app"), place.path("app/loop")).unwrap();
    std::os::unix::fs::symlink(place.path("app/self.py"), place.path("app/self.py")).unwrap();
    let (code, _) = drift(&place, &["--deployed", "ok.env"]);
    assert_eq!(code, 0);
    let (code, _) = deployed(&place, "large.yaml", &format!("a: {}\n", "x".repeat(10 << 20)), &[]);
    assert_eq!(code, 2);
}

#[test]
fn findings_come_as_sarif_and_as_workflow_commands() {
    let place = place();
    let bad = place.file("bad.env", &ENV.replace("prometheus:9090", "prometheus:9091"));
    let sarif = place.km(&["drift", "--code", "app", "--deployed", &bad, "--format", "sarif"]);
    let document: Value = serde_json::from_str(&sarif.out).unwrap();
    assert_eq!((sarif.code, &document["version"]), (1, &"2.1.0".into()));
    assert_eq!(document["runs"][0]["results"][0]["ruleId"], "DR001");
    let github = place.km(&["drift", "--code", "app", "--deployed", &bad, "--format", "github"]);
    assert!(github.out.contains("::error ") && github.out.contains("DR001"), "{}", github.out);
    let text = place.km(&["drift", "--code", "app", "--deployed", &bad]);
    assert!(text.out.contains("PROMETHEUS_URL") && text.out.contains("compared 4"), "{}", text.out);
}

#[test]
fn km_is_deployed_as_its_defaults_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let at = |path: &str| root.join(path).to_str().unwrap().to_owned();
    let place = Place::new();
    let (code, policy) = (at("config/default.toml"), at("deploy/drift.toml"));
    let check = |deployed: &str, more: &[&str]| {
        let deployed = at(deployed);
        let all =
            ["drift", "--format", "json", "--code", &code, "--policy", &policy, "--deployed", &deployed];
        let ended = place.km(&[all.as_slice(), more].concat());
        let document: Value = serde_json::from_str(&ended.out).unwrap();
        assert_eq!(ended.code, 0, "{deployed}: {}", ended.out);
        assert_eq!(
            (&document["summary"]["unknown"], codes(&document).contains(&"DR007")),
            (&0.into(), false)
        );
        document
    };
    let compose = check("deploy/compose.yaml", &["--workload", "km"]);
    let chart = check("deploy/helm/km/values.yaml", &[]);
    for document in [compose, chart] {
        assert_eq!(row(&document, "KM__HTTP__LISTEN")["deployed"], "0.0.0.0:8787");
        assert_eq!(status(&document, "KM__LOG__LEVEL"), "match");
    }
}

#[test]
fn what_doubles_or_refers_to_itself_ends() {
    let place = place();
    let doubling: String = (1..60).map(|at| format!("A{at} = A{} + A{}\n", at - 1, at - 1)).collect();
    let small: String = (1..60).map(|at| format!("B{at} = B{0} - B{0}\n", at - 1)).collect();
    let classes: String = (1..40)
        .map(|at| {
            format!("class C{at}(C{0}, D{0}): x: int = 1\nclass D{at}(C{0}, D{0}): y: int = 1\n", at - 1)
        })
        .collect();
    place.file(
        "app/config.py",
        &format!(
            "from enum import Enum\nfrom pydantic import BaseModel\nfrom pydantic_settings import BaseSettings\nfrom app.a import *\nA0 = 'x'\nB0 = 1\nLOOP = LOOP\n{doubling}{small}\
             class E(Enum):\n    A = F.B\nclass F(Enum):\n    B = E.A\nclass C0(BaseSettings): z: int = 1\nclass D0(BaseSettings): w: int = 1\n{classes}\
             class Node(BaseModel):\n    left: 'Node'\n    right: 'Node'\n    value: int = 1\n\
             class Me(Me): pass\nclass Settings(BaseSettings):\n    model_config = {{'env_nested_delimiter': '__'}}\n    a: str = A59\n    b: int = B59\n    c: E = E.A\n    d: str = LOOP\n    e: str = NOWHERE\n    node: Node\n"
        ),
    );
    for name in ["a", "b", "c", "d", "e", "f", "g"] {
        let stars: String = ["a", "b", "c", "d", "e", "f", "g"]
            .iter()
            .map(|other| format!("from app.{other} import *\n"))
            .collect();
        place.file(&format!("app/{name}.py"), &stars);
    }
    let started = std::time::Instant::now();
    let bomb: String = (1..60).map(|at| format!("V{at}=$V{0}$V{0}\n", at - 1)).collect();
    let (code, document) =
        deployed(&place, "e.env", &format!("V0=xx\n{bomb}A=x\nD=x\nE=x\n"), &["--class", "Settings"]);
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    assert!(code < 3);
    for name in ["A", "D", "E"] {
        assert_eq!(status(&document, name), "unknown-default", "{name}");
    }
    assert!(drift(&place, &["--deployed", "e.env"]).0 < 3, "all the classes");
}

#[test]
fn a_default_that_reads_the_environment_is_read_as_the_code_does() {
    let place = place();
    place.file(
        "app/config.py",
        "import os\nfrom pydantic import AliasChoices, AliasPath, Field\nfrom pydantic_settings import BaseSettings\n\
         class Settings(BaseSettings):\n    debug: bool = os.getenv('RAW_DEBUG', 'false').lower() == 'true'\n    \
         host: str = Field('db', validation_alias=AliasChoices('HOST_NAME', AliasPath('DATABASE', 'hosts', 0)))\n",
    );
    let (_, document) = deployed(&place, "e.env", "RAW_DEBUG=1\nDATABASE={\"hosts\": [\"db\"]}\n", &[]);
    assert_eq!(status(&document, "DEBUG"), "match", "`1` is not `true` to this code");
    assert_eq!(status(&document, "HOST_NAME"), "match", "it is a part of the document");
    let (_, document) = deployed(&place, "e.env", "DEBUG=1\nHOST_NAME=other\n", &[]);
    assert_eq!((status(&document, "DEBUG"), status(&document, "HOST_NAME")), ("differs", "differs"));
}
