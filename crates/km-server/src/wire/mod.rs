//! The bodies of the API, version 1: apart from the model, so that either can change by itself.

mod entries;
mod letters;
mod operations;
mod slo;
mod writes;

pub(crate) use entries::*;
pub(crate) use letters::*;
pub(crate) use operations::*;
pub(crate) use slo::*;
pub(crate) use writes::*;
