//! The Mercure face.

pub mod active;
