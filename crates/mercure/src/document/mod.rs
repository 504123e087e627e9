//! What a Mercure hub says of itself: its subscriptions, its metadata, its links.

pub mod link;
pub mod metadata;
pub mod path;
pub mod subscription;

pub use link::Link;
pub use metadata::Metadata;
pub use path::Route;
pub use subscription::Active;
