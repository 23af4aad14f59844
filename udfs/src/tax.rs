//! The environmental protection tax of a row.

pub mod tax_amount;
