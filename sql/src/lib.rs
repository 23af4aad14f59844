//! What an analyst sees: the views, one `.sql` file each, and the data dictionary.
//!
//! A view's head tells its clause, grain and every column; the dictionary is
//! made from these heads and from the schemas, so neither can go stale alone.

mod dictionary;
mod view;

pub use dictionary::{Entry, entries, to_csv, to_markdown};
pub use view::{View, ViewColumn, views};
