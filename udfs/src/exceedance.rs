//! What comparing with limits rests on.

pub mod round_half_even;
