//! Pages of the documentation that run: the commands of a page, in order, on a
//! machine of their own, held against what the page shows of their output.
//!
//! A fence `sh` is a script; a fence `console` has commands behind `$ `, and below
//! each what it writes. A line `…` stands for any lines, `…` within a line for
//! any text. What a page doesn't say to its readers it says in comments:
//!
//! ```text
//! <!-- after: docs/other.md -->        it goes on where that page has ended
//! <!-- run: stays=1,3 exit=2 -->      about the fence that follows, see [`Words`]
//! <!-- sh: stays=1                    commands that readers don't see
//! tidings serve
//! -->
//! ```

mod machine;
mod page;
mod shown;
mod walk;

pub use machine::{Machine, Running};
pub use page::{Block, Form, Page, Words};
pub use shown::differs;
pub use walk::Walk;

use std::path::PathBuf;

/// The root of the repository.
pub fn root() -> PathBuf {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let root = own
        .ancestors()
        .nth(2)
        .expect("crates/testkit lies two levels down");
    root.to_owned()
}
