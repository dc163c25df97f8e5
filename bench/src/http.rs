//! tbd
use crate::{Options, Report};
pub(crate) fn section(_: &Options, _: &mut Report) {}
