//! Kubernetes manifests: `env` and `envFrom` of containers, and the ConfigMaps and Secrets they refer to.

use km_yaml::{Mark, Node};

use super::{Content, Deployed, File, Layer, Target, Variable, not_text};
use crate::finding::{Code, Level, Remark};

/// Where the pod of a workload is described, by kind or by habit.
const PODS: [&[&str]; 4] = [
    &["spec", "template", "spec"],
    &["spec", "jobTemplate", "spec", "template", "spec"],
    &["spec", "podTemplate", "spec"],
    &["spec"],
];

pub(super) fn is_manifest(file: &File) -> bool {
    let object = |node: &Node| node.at(&["kind"]).is_some() && node.at(&["apiVersion"]).is_some();
    file.documents.iter().any(|document| object(document))
}

/// An object of a manifest.
struct Object<'a> {
    file: &'a File,
    node: &'a Node,
    kind: &'a str,
    name: &'a str,
    namespace: Option<&'a str>,
}

/// A pair of a ConfigMap or a Secret.
struct Pair {
    key: String,
    content: Content,
    mark: Mark,
}

pub(super) fn read(files: &[File], deployed: &mut Deployed) {
    let mut objects = Vec::new();
    for file in files {
        for document in &file.documents {
            collect(file, document, &mut objects, 0);
        }
    }
    for object in objects.iter().filter(|object| object.kind == "ConfigMap") {
        for (key, value) in object.node.at(&["data"]).map(Node::entries).unwrap_or_default() {
            let what = format!("the ConfigMap {} under", shown(object.name));
            deployed.remarks.extend(not_text(object.file, value, &what, key.text().unwrap_or_default()));
        }
    }
    let before = deployed.targets.len();
    for object in &objects {
        let pod =
            PODS.iter().find_map(|path| object.node.at(path).filter(|pod| pod.at(&["containers"]).is_some()));
        if let Some(pod) = pod {
            containers(object, pod, &objects, deployed);
        }
    }
    if deployed.targets.len() == before {
        for object in objects.iter().filter(|object| matches!(object.kind, "ConfigMap" | "Secret")) {
            let variables = alone(object);
            deployed.common.extend(variables);
        }
    }
}

fn collect<'a>(file: &'a File, node: &'a Node, into: &mut Vec<Object<'a>>, depth: usize) {
    let kind = node.at(&["kind"]).and_then(Node::text).unwrap_or_default();
    if kind.ends_with("List") && depth < 4 {
        for item in node.at(&["items"]).map(Node::items).unwrap_or_default() {
            collect(file, item, into, depth + 1);
        }
        return;
    }
    into.push(Object {
        file,
        node,
        kind,
        name: node.at(&["metadata", "name"]).and_then(Node::text).unwrap_or_default(),
        namespace: node.at(&["metadata", "namespace"]).and_then(Node::text),
    });
}

fn shown(name: &str) -> String {
    super::template::written(name)
}

/// Without a workload, the pairs of a ConfigMap are taken for the variables that they will become.
fn alone(object: &Object<'_>) -> Vec<Variable> {
    let source = format!("{} {}", object.kind, shown(object.name));
    pairs(object)
        .into_iter()
        .filter(|pair| is_name(&pair.key))
        .map(|pair| Variable {
            name: pair.key,
            content: pair.content,
            layer: Layer::EnvFrom,
            place: object.file.place(pair.mark),
            source: source.clone(),
        })
        .collect()
}

fn pairs(object: &Object<'_>) -> Vec<Pair> {
    let mut pairs = Vec::new();
    let mut add = |field: &str, read: &dyn Fn(&Node) -> Content| {
        for (key, value) in object.node.at(&[field]).map(Node::entries).unwrap_or_default() {
            let key = key.text().unwrap_or_default().to_owned();
            pairs.push(Pair { content: read(value), mark: value.mark, key });
        }
    };
    if object.kind == "Secret" {
        add("data", &|node| match object.file.content(node) {
            Content::Text(text) => decoded(&text).map_or_else(
                || Content::Unresolved("it is not base64 of text".to_owned()),
                Content::SecretText,
            ),
            other => other,
        });
        add("stringData", &|node| match object.file.content(node) {
            Content::Text(text) => Content::SecretText(text),
            other => other,
        });
    } else {
        add("data", &|node| object.file.content(node));
    }
    pairs
}

/// Base64 with padding, as Kubernetes writes it; about as long as a dependency's declaration and its test.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xff).ok()?);
        }
    }
    String::from_utf8(bytes).ok()
}

fn containers(object: &Object<'_>, pod: &Node, objects: &[Object<'_>], deployed: &mut Deployed) {
    for (field, init) in [("containers", false), ("initContainers", true)] {
        for container in pod.at(&[field]).map(Node::items).unwrap_or_default() {
            let name = container.at(&["name"]).and_then(Node::text).unwrap_or_default();
            let mut target = Target {
                workload: format!("{}/{}", object.kind, shown(object.name)),
                container: shown(name),
                init,
                variables: Vec::new(),
                open: Vec::new(),
            };
            if let Some(line) = object.file.template.brings_in {
                target
                    .open
                    .push(format!("line {line} of {}, a template that was not rendered", object.file.shown));
            }
            for from in container.at(&["envFrom"]).map(Node::items).unwrap_or_default() {
                env_from(object, from, objects, &mut target);
            }
            for env in container.at(&["env"]).map(Node::items).unwrap_or_default() {
                variable(object, env, objects, &mut target, deployed);
            }
            deployed.targets.push(target);
        }
    }
}

fn env_from(object: &Object<'_>, from: &Node, objects: &[Object<'_>], target: &mut Target) {
    let mut open = Vec::new();
    let prefix = from.at(&["prefix"]).and_then(Node::text).unwrap_or_default();
    for (field, kind) in [("configMapRef", "ConfigMap"), ("secretRef", "Secret")] {
        let Some(reference) = from.at(&[field]) else { continue };
        let name = reference.at(&["name"]).and_then(Node::text).unwrap_or_default();
        let source = format!("envFrom {kind} {}", shown(name));
        match find(objects, kind, name, object.namespace) {
            Ok(found) => {
                if pairs(found).iter().any(|pair| super::template::is_open(&pair.key)) {
                    open.push(format!("{source}, whose keys are a template"));
                }
                for pair in pairs(found).into_iter().filter(|pair| is_name(&format!("{prefix}{}", pair.key)))
                {
                    target.variables.push(Variable {
                        name: format!("{prefix}{}", pair.key),
                        content: pair.content,
                        layer: Layer::EnvFrom,
                        place: found.file.place(pair.mark),
                        source: source.clone(),
                    });
                }
            }
            Err(_) if reference.at(&["optional"]).and_then(Node::text) == Some("true") => {
                open.push(format!("{kind} {} (optional, and not among the files)", shown(name)));
            }
            Err(why) => open.push(format!("{kind} {} ({why})", shown(name))),
        }
    }
    target.open.extend(open);
}

/// What Kubernetes takes for the name of a variable; other keys are left out.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !super::template::is_open(name)
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

fn find<'a>(
    objects: &'a [Object<'a>],
    kind: &str,
    name: &str,
    namespace: Option<&str>,
) -> Result<&'a Object<'a>, &'static str> {
    let named: Vec<&Object<'_>> =
        objects.iter().filter(|object| object.kind == kind && object.name == name).collect();
    let near = |object: &&&Object<'_>| {
        object.namespace == namespace || namespace.is_none() || object.namespace.is_none()
    };
    let mut near = named.iter().filter(near);
    match (near.next(), near.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => Err("there are several of this name"),
        (None, _) => Err("which is not among the files"),
    }
}

fn variable(
    object: &Object<'_>,
    env: &Node,
    objects: &[Object<'_>],
    target: &mut Target,
    deployed: &mut Deployed,
) {
    let file = object.file;
    let Some(name) = env.at(&["name"]).and_then(Node::text) else {
        let message = format!("a variable of {} has no name", target.workload);
        let remark = Remark::new(Code::Unparsable, Level::Error, message, Some(file.place(env.mark)));
        deployed.remarks.push(remark.undecided());
        return;
    };
    let place = env.at(&["value"]).or_else(|| env.at(&["valueFrom"])).map_or(env.mark, |node| node.mark);
    let content = match (env.at(&["value"]), env.at(&["valueFrom"])) {
        (_, Some(from)) => match value_from(object, from, objects) {
            Some(content) => content,
            None => return,
        },
        (Some(value), None) => {
            deployed.remarks.extend(not_text(file, value, "the variable", name));
            match file.content(value) {
                Content::Text(text) => with_references(&text, &target.variables),
                other => other,
            }
        }
        (None, None) => Content::Text(String::new()),
    };
    target.variables.push(Variable {
        name: name.to_owned(),
        content,
        layer: Layer::Env,
        place: file.place(place),
        source: format!("env of {}, container {}", target.workload, target.container),
    });
}

/// The value of a reference; `None` when it is optional and not there.
fn value_from(object: &Object<'_>, from: &Node, objects: &[Object<'_>]) -> Option<Content> {
    for (field, kind) in [("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")] {
        let Some(reference) = from.at(&[field]) else { continue };
        let text = |key: &str| reference.at(&[key]).and_then(Node::text);
        let (name, key) = (text("name").unwrap_or_default(), text("key").unwrap_or_default());
        let optional = text("optional") == Some("true");
        let missing = |why: &str| {
            let what = format!("{kind} {} key {}, {why}", shown(name), shown(key));
            if kind == "Secret" { Content::Secret(what) } else { Content::Unresolved(what) }
        };
        return match find(objects, kind, name, object.namespace) {
            Ok(found) => match pairs(found).into_iter().find(|pair| pair.key == key) {
                Some(pair) => Some(pair.content),
                None if optional => None,
                None => Some(missing("which that object does not have")),
            },
            Err(why) => Some(missing(why)),
        };
    }
    let field = from.entries().first().and_then(|(key, _)| key.text()).unwrap_or("valueFrom");
    Some(Content::Unresolved(format!("{field} is known only where it runs")))
}

/// `$(NAME)` of variables that stand above; `$$(NAME)` is the text itself, and so is an unknown name.
fn with_references(text: &str, known: &[Variable]) -> Content {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        if out.len() > super::dotenv::TEXT_BYTES_MAX {
            return Content::Unresolved("its references come to too long a text".to_owned());
        }
        out.push_str(before);
        if let Some(behind) = after.strip_prefix('$') {
            out.push('$');
            rest = behind;
            continue;
        }
        let reference = after.strip_prefix('(').and_then(|inside| inside.split_once(')'));
        let found = reference.and_then(|(name, behind)| {
            known.iter().rev().find(|variable| variable.name == name).map(|variable| (variable, behind))
        });
        match found.map(|(variable, behind)| (&variable.content, behind)) {
            Some((Content::Text(value), behind)) => {
                out.push_str(value);
                rest = behind;
            }
            Some((Content::SecretText(_) | Content::Secret(_) | Content::Unresolved(_), _)) => {
                return Content::Unresolved(format!("{text} refers to a value that is not known"));
            }
            None => {
                out.push('$');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    super::text_content(&out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read() {
        assert_eq!(decoded("aHVudGVyMg=="), Some("hunter2".to_owned()));
        assert_eq!(decoded("?"), None);
    }
}
