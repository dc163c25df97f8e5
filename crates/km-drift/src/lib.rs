//! Whether what is deployed is what the code takes for granted: defaults of settings in Python source,
//! compared with Kubernetes manifests, compose files, `.env` files and Helm values.
//!
//! The code is read by a real parser and never run; manifests are read by `km-yaml`, which keeps what stood in quotes
//! apart from what did not. What cannot be known is said to be unknown.

mod compare;
mod cosmetic;
mod deployed;
mod files;
mod finding;
mod own;
mod policy;
mod pydantic;
mod python;
mod setting;
mod types;
mod value;

pub use crate::compare::{Report, Row, Status, Terms, compare, counts, unparsable};
pub use crate::cosmetic::only_cosmetic;
pub use crate::deployed::{Content, Deployed, Layer, Target, ValuesMap, Variable, read};
pub use crate::files::{FILE_BYTES_MAX, FILES_MAX, Walked, read_text, walk};
pub use crate::finding::{Code, Level, Place, Remark};
pub use crate::own::own_settings;
pub use crate::policy::{BUILT_IN, Ignore, Likeness, Policy, PolicyError, Rule};
pub use crate::pydantic::{Parsed, Rules, Version, from_variable};
pub use crate::python::{Extraction, OpenExpression, ReaderKind, Readers, Source, extract};
pub use crate::setting::{Default, EnvName, OwnType, Reading, Setting, Step, Way};
pub use crate::types::{Bounds, Enum, Type};
pub use crate::value::{Value, shown};
