//! What comparing with limits rests on: [`limits`] compare, [`runs`] tell what follows one another.

pub mod limits;
pub mod round_half_even;
pub mod runs;
