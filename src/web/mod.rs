//! Health and metrics of the daemon, told over HTTP to this machine only: `/healthz`, `/readyz`, `/metrics`.
//! It must not know databases, files or runs under way: the daemon pushes facts into [`Status`], pages show them.

mod bind;
pub mod metrics;
mod pages;
pub mod serve;
pub mod status;
mod visitor;

pub use bind::WebError;
pub use metrics::Metrics;
pub use serve::{Serving, serve};
pub use status::{Role, Status};
