//! Words for people: which terms tell a segment from the others, and a short name made of them.

mod keywords;
mod names;
mod terms;

pub use keywords::keywords;
pub use names::names;
pub use terms::is_chinese;
