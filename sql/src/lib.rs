//! What an analyst sees: the views, one `.sql` file each, and the data dictionary.
//!
//! The head of a view or table function tells its clause, grain and every column
//! with unit and Chinese name; the dictionary is made from these heads, from the
//! schemas and from the types of a session, so none can go stale alone.

mod dictionary;
mod view;

pub use dictionary::{Entry, entries, to_csv, to_markdown};
pub use view::{View, ViewColumn, table_functions, views};
