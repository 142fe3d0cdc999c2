//! Serves health and metrics of the daemon over HTTP to this machine only: `/healthz`, `/readyz`, `/metrics`.
//! It must not know databases, files or running jobs: the daemon pushes facts into [`Status`], pages show them.

mod bind;
pub mod metrics;
mod pages;
pub mod serve;
pub mod status;
mod visitor;

pub use bind::WebError;
pub use metrics::Metrics;
pub use serve::{Serving, serve};
pub use status::{OLD_LOCK, Role, Status};
