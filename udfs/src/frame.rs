//! All series of one outlet side by side.
//!
//! ```text
//! sorted streams ──▶ cursor ──▶ OutletFrame ──▶ SettledOutlet ──▶ FrameRule ──▶ batches
//! (mn, factor, ts)   one mn     rows of all     each hour valid    months,
//! of every table     at a time  its series      or not, and why    masses …
//! ```
//!
//! The store is sorted by outlet, so one pass cuts the streams of every table
//! into one [`OutletFrame`](outlet::OutletFrame) after another: no hash table, no sort, one outlet in
//! memory per partition. Rows are never merged across streams; a frame is the
//! runs of the smallest `mn` over all of them.
//!
//! | file | holds |
//! |---|---|
//! | [`outlet`] | the frame: rows of one outlet, by table and factor |
//! | [`facts`] | what the registry knows of an outlet |
//! | [`pattern_facts`] | what only the search for patterns asks of the registry |
//! | [`conditions`] | working conditions by the hour |
//! | [`extents`] | from when to when each series reaches in the whole store |
//! | [`settle`] | the hours of every series of an outlet, stops and flow applied |
//! | `flow_by_velocity` | the flow of gas of an outlet that sends its velocity only |
//! | [`asked`] | what a query asks of a rule: columns and factors |
//! | [`cursor`] | cuts sorted streams into frames |
//! | [`exec`] | the physical operator |
//! | [`source`] | what the operator asks of a store, and how views and table functions are planned |
//! | [`functions`] | the table functions: which rule their arguments ask for |
//! | [`rules`] | the rules that run over frames, one a view |

pub mod asked;
pub mod conditions;
pub mod cursor;
pub mod exec;
pub mod extents;
pub mod facts;
mod flow_by_velocity;
pub mod functions;
pub mod outlet;
pub mod pattern_facts;
pub mod rules;
pub mod settle;
pub mod source;
