//! Where data live and move: the store, ingest, the session and the command line.
//!
//! ```text
//! source ──▶ decode ──▶ land ──▶ store ──▶ scan ──▶ frame ──▶ rule ──▶ view ──▶ face
//! files      ingest::    ingest::  store::   store::   plume_udfs          session::  cli::
//!            csv, hj212  landing   delta     scan
//! ```

pub mod cli;
mod error;
pub mod export;
pub mod findings;
pub mod ingest;
pub mod province_files;
pub mod session;
pub mod store;

pub use error::{Error, Result};
