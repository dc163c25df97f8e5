//! Compose files: `environment` and `env_file` of each service.

use std::path::Path;

use km_yaml::{Node, Value};

use super::{Content, Deployed, File, Layer, Target, Variable, dotenv, not_text};
use crate::finding::{Code, Level, Remark};

pub(super) fn is_compose(file: &File) -> bool {
    let [document] = file.documents.as_slice() else { return false };
    let services =
        document.at(&["services"]).is_some_and(|services| matches!(services.value, Value::Mapping(_)));
    services && document.at(&["apiVersion"]).is_none()
}

/// The place of a compose file among those of its folder.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// `compose.yaml`, and what is no compose file at all.
    Base,
    /// `compose.override.yaml`, which compose reads over the base by itself.
    Override,
    /// One of another name, which is read only when somebody asks for it.
    Variant,
}

pub(super) fn place(path: &Path) -> Place {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    match stem.strip_prefix("docker-").unwrap_or(stem).strip_prefix("compose") {
        None | Some("") => Place::Base,
        Some(".override") => Place::Override,
        Some(_) => Place::Variant,
    }
}

/// Reads every service. A service that an earlier file has too is changed by this one, as by `docker compose -f a
/// -f b`; but a variant that lies in a folder, and that nobody named, makes services of its own. `known` are the `.env` files that were named; one beside the file counts too.
pub(super) fn read(file: &File, explicit: bool, known: &[Variable], deployed: &mut Deployed) {
    let beside = file.path.with_file_name(".env");
    let mut interpolation =
        if beside.is_file() { dotenv::file(&beside, &mut deployed.remarks) } else { Vec::new() };
    interpolation.extend(known.iter().cloned());
    let Some(services) = file.documents.first().and_then(|document| document.at(&["services"])) else {
        return;
    };
    for (name, service) in services.entries() {
        let name = name.text().unwrap_or_default();
        let mut target = Target {
            workload: format!("service/{name}"),
            container: name.to_owned(),
            init: false,
            variables: Vec::new(),
            open: Vec::new(),
        };
        if service.at(&["extends"]).is_some() {
            target.open.push("the service it extends".to_owned());
        }
        if let Some(env_file) = service.at(&["env_file"]) {
            env_files(file, env_file, &interpolation, &mut target, deployed);
        }
        if let Some(environment) = service.at(&["environment"]) {
            environments(file, environment, &interpolation, &mut target, deployed);
        }
        let own = !explicit && place(&file.path) == Place::Variant;
        let same =
            |known: &&mut Target| known.workload == target.workload && known.container == target.container;
        match deployed.targets.iter_mut().find(same).filter(|_| !own) {
            Some(earlier) => {
                earlier.variables.extend(target.variables);
                earlier.open.extend(target.open);
            }
            None => {
                if own {
                    let shown = file.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                    target.container = format!("{name} of {shown}");
                }
                deployed.targets.push(target);
            }
        }
    }
}

fn env_files(file: &File, node: &Node, known: &[Variable], target: &mut Target, deployed: &mut Deployed) {
    let items: Vec<&Node> = match &node.value {
        Value::Sequence(items) => items.iter().map(|item| &**item).collect(),
        Value::Null | Value::Scalar(_) | Value::Mapping(_) => vec![node],
    };
    for item in items {
        let (path, required) = match item.text() {
            Some(path) => (Some(path), true),
            None => {
                let required = item.at(&["required"]).and_then(Node::text) != Some("false");
                (item.at(&["path"]).and_then(Node::text), required)
            }
        };
        let path = match path.map(|path| dotenv::interpolated(path, known)) {
            Some(Content::Text(path)) => path,
            _ => {
                target.open.push("an env_file whose path is not known".to_owned());
                continue;
            }
        };
        let whole = file.path.parent().map(|folder| folder.join(&path)).unwrap_or_default();
        if whole.is_file() {
            let source = format!("env_file {path}");
            let read = dotenv::file(&whole, &mut deployed.remarks);
            let layered = read.into_iter().map(|variable| Variable {
                layer: Layer::EnvFrom,
                source: source.clone(),
                ..variable
            });
            target.variables.extend(layered);
        } else if required {
            target.open.push(format!("env_file {path}, which is not here"));
            let message = format!("the env_file {path} of {} is not here", target.workload);
            let remark = Remark::new(Code::Unresolved, Level::Warning, message, Some(file.place(item.mark)));
            deployed.remarks.push(remark);
        }
    }
}

fn environments(file: &File, node: &Node, known: &[Variable], target: &mut Target, deployed: &mut Deployed) {
    let source = format!("environment of {}", target.workload);
    let mut put = |name: &str, content: Content, node: &Node| {
        let place = file.place(node.mark);
        let name = name.to_owned();
        target.variables.push(Variable { name, content, layer: Layer::Env, place, source: source.clone() });
    };
    for item in node.items() {
        match item.text().map(|text| text.split_once('=').ok_or(text)) {
            Some(Ok((name, value))) => put(name, dotenv::interpolated(value, known), item),
            Some(Err(name)) => put(name, passed_on(name, known), item),
            None => {
                let message = format!("an item of the environment of {} is not NAME=value", target.workload);
                let remark =
                    Remark::new(Code::Unparsable, Level::Error, message, Some(file.place(item.mark)));
                deployed.remarks.push(remark.undecided());
            }
        }
    }
    for (key, value) in node.entries() {
        let name = key.text().unwrap_or_default();
        if value.is_not_text().is_some_and(|kind| kind != "a number") {
            deployed.remarks.extend(not_text(file, value, "the variable", name));
        }
        let content = match (&value.value, value.text()) {
            (Value::Null, _) => passed_on(name, known),
            (_, Some(text)) => dotenv::interpolated(text, known),
            (_, None) => Content::Unresolved("it is not text".to_owned()),
        };
        put(name, content, value);
    }
}

/// A variable without a value is that of whoever deploys.
fn passed_on(name: &str, known: &[Variable]) -> Content {
    known.iter().rev().find(|variable| variable.name == name).map_or_else(
        || Content::Unresolved(format!("{name} is passed on from whoever deploys")),
        |variable| variable.content.clone(),
    )
}
