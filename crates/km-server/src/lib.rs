//! The HTTP face of km: it reads requests, hands them to the contract, and says what became of them.
//!
//! It knows no store. Every failure becomes one [`code::Code`] in `problem.rs`; every call is described
//! in the OpenAPI document that [`openapi`] returns.

mod api;
mod app;
mod auth;
pub mod code;
mod connections;
mod guard;
mod health;
mod limits;
mod metrics;
mod problem;
mod request;
mod wire;

pub use api::openapi;
pub use app::{Services, Settings, readers, router};
pub use auth::{OpenToTheWorld, Principal, must_have_key};
pub use connections::serve;
