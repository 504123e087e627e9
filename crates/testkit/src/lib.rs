//! What tests of a running hub share: the process, a plain HTTP client that
//! can also say nonsense, and a watcher that resumes.

pub mod http;
pub mod hub;
pub mod watch;

pub use http::{Answer, Http, PATIENCE};
pub use hub::{HubProcess, Launch};
pub use watch::{Received, Watch};
