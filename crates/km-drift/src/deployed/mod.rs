//! The deployed side: which variables a container gets, and where each comes from.

mod compose;
mod dotenv;
mod helm;
mod kubernetes;
mod template;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use km_yaml::{Mark, Node, parse};

use crate::files::{read_text, walk};
use crate::finding::{Code, Level, Place, Remark};

pub use self::helm::ValuesMap;

/// How far up a variable stands; a higher layer wins over a lower one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// A `.env` file.
    DotEnv,
    /// Helm values.
    Values,
    /// `envFrom`, or `env_file` of compose.
    EnvFrom,
    /// `env`, or `environment` of compose.
    Env,
}

/// A variable as it is deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub content: Content,
    /// Its layer.
    pub layer: Layer,
    /// Where it stands.
    pub place: Place,
    /// What sets it, in words.
    pub source: String,
}

/// What a variable holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Text.
    Text(String),
    /// Text of a secret, which is not shown.
    SecretText(String),
    /// A secret that is not among the files.
    Secret(String),
    /// It cannot be known; why.
    Unresolved(String),
}

/// A container and its variables.
#[derive(Clone, Debug)]
pub struct Target {
    /// `Deployment/api`, or `service/api` of compose.
    pub workload: String,
    /// The container's name.
    pub container: String,
    /// It runs before the others and ends.
    pub init: bool,
    /// In the order in which they are set; of two in one layer the later wins.
    pub variables: Vec<Variable>,
    /// Sources that are not among the files and may set any variable.
    pub open: Vec<String>,
}

/// Everything that is deployed.
#[derive(Clone, Debug, Default)]
pub struct Deployed {
    /// Containers.
    pub targets: Vec<Target>,
    /// Variables that hold for each of them: `.env`, Helm values, and ConfigMaps when there is no workload.
    pub common: Vec<Variable>,
    /// What was noticed.
    pub remarks: Vec<Remark>,
    /// Files that were read.
    pub files: usize,
    /// Files of a folder that hold nothing of these kinds.
    pub skipped: usize,
}

/// A file, parsed.
struct File {
    path: PathBuf,
    shown: String,
    documents: Vec<Arc<Node>>,
    /// What was left out because it is a template.
    template: template::Template,
}

impl File {
    fn place(&self, mark: Mark) -> Place {
        Place::new(self.shown.clone(), mark.line, mark.column)
    }

    /// The content of a scalar, if it is no part of a template.
    fn content(&self, node: &Node) -> Content {
        match node.text() {
            _ if self.template.is_conditional(node.mark.line) => {
                Content::Unresolved("it stands under a condition of a template".to_owned())
            }
            Some(text) => text_content(text),
            None if node.items().is_empty() && node.entries().is_empty() => Content::Text(String::new()),
            None => {
                Content::Unresolved("it is not text, perhaps a template that was not rendered".to_owned())
            }
        }
    }
}

fn text_content(text: &str) -> Content {
    if template::is_open(text) {
        Content::Unresolved(format!("the template {} was not rendered", template::written(text)))
    } else {
        Content::Text(text.to_owned())
    }
}

/// Reads files and folders.
#[must_use]
pub fn read(paths: &[PathBuf], map: &ValuesMap) -> Deployed {
    let mut deployed = Deployed::default();
    let mut files = Vec::new();
    let mut env_files = Vec::new();
    for path in paths {
        let explicit = !path.is_dir();
        let found = if explicit { vec![path.clone()] } else { folder(path, &mut deployed) };
        for path in found {
            deployed.files += 1;
            if is_dotenv(&path) {
                env_files.push(path);
            } else {
                files.extend(parsed(&path, explicit, &mut deployed));
            }
        }
    }
    let mut interpolation = Vec::new();
    for path in &env_files {
        interpolation.extend(dotenv::file(path, &mut deployed.remarks));
    }
    deployed.common.extend(interpolation.iter().cloned());
    let mut manifests = Vec::new();
    // Stable: files that were named stay in the order in which they were, as compose reads them.
    files.sort_by_key(
        |(file, explicit)| if *explicit { compose::Place::Base } else { compose::place(&file.path) },
    );
    for (file, explicit) in files {
        if compose::is_compose(&file) {
            compose::read(&file, explicit, &interpolation, &mut deployed);
        } else if kubernetes::is_manifest(&file) {
            manifests.push(file);
        } else if !map.is_empty() && helm::may_be_values(&file.path, explicit) {
            helm::read(&file, map, &mut deployed);
        } else if explicit {
            let message = "is neither a Kubernetes manifest nor a compose file; Helm values need --map";
            let remark = Remark::new(Code::Unparsable, Level::Error, message, Some(Place::file(file.shown)));
            deployed.remarks.push(remark.undecided());
        } else {
            deployed.skipped += 1;
        }
    }
    kubernetes::read(&manifests, &mut deployed);
    helm::missing(map, &mut deployed);
    deployed
}

fn folder(path: &Path, deployed: &mut Deployed) -> Vec<PathBuf> {
    // JSON in a folder is seldom a manifest, and often not even JSON.
    let wanted = |path: &Path| is_dotenv(path) || is_yaml(path);
    let walked = walk(path, &wanted, false);
    for (path, why) in walked.failed {
        let place = Some(Place::file(path.display().to_string()));
        let remark = Remark::new(Code::Unparsable, Level::Error, format!("cannot be read: {why}"), place);
        deployed.remarks.push(remark.undecided());
    }
    deployed.skipped += walked.skipped;
    walked.files
}

fn is_yaml(path: &Path) -> bool {
    matches!(path.extension().and_then(|extension| extension.to_str()), Some("yaml" | "yml"))
}

fn is_dotenv(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let example = ["example", "sample", "template", "dist"].iter().any(|word| name.ends_with(word));
    let dotted = name == ".env" || name.starts_with(".env.");
    (dotted && !example) || name.ends_with(".env") || name == "env"
}

fn parsed(path: &Path, explicit: bool, deployed: &mut Deployed) -> Option<(File, bool)> {
    let shown = path.display().to_string();
    let mut fail = |message: String, place: Place| {
        deployed.remarks.push(Remark::new(Code::Unparsable, Level::Error, message, Some(place)).undecided());
    };
    let text = match read_text(path) {
        Ok(text) => text,
        Err(error) => {
            fail(format!("cannot be read: {error}"), Place::file(shown));
            return None;
        }
    };
    let file = |documents, template| {
        Some((File { path: path.to_owned(), shown: shown.clone(), documents, template }, explicit))
    };
    let first = match parse(&text) {
        Ok(parsed) => return file(parsed.documents, template::Template::default()),
        Err(error) => error,
    };
    if text.contains("{{") {
        let (rendered, template) = template::without_actions(&text);
        if let Ok(parsed) = parse(&rendered) {
            return file(parsed.documents, template);
        }
    }
    fail(format!("is not YAML: {}", first.why), Place::new(shown, first.mark.line, first.mark.column));
    None
}

/// A finding that a field for text holds something else.
fn not_text(file: &File, node: &Node, what: &str, name: &str) -> Option<Remark> {
    let kind = node.is_not_text()?;
    Some(
        Remark::new(
            Code::NotText,
            Level::Error,
            format!("{what} {name} has {kind} where text is needed: {}", node.text().unwrap_or_default()),
            Some(file.place(node.mark)),
        )
        .help("put it in quotes"),
    )
}
