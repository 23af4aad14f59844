//! What the regulation computes.
//!
//! Kernels are pure: slices in, values out, no I/O, no engine types, no clock.
//! Beside each stands its thin DataFusion wrapper, under the same name.
//!
//! | module | holds |
//! |---|---|
//! | [`time`] | Beijing civil time as whole hours, days and months |
//! | [`validity`] | valid hours, days and months |
//! | [`correlation`] | how closely two series go together |
//! | [`emission`] | flue-gas formulas and the mass of an hour |
//! | [`exceedance`] | what comparing with limits rests on |
//! | [`frame`] | all series of one outlet side by side, and the operator that cuts them |
//! | [`patterns`] | what tampering looks like in the data of an outlet |
//! | [`tax`] | the environmental protection tax of a row |
//! | [`registry`] | every function, for a session to register |

pub mod correlation;
pub mod emission;
pub mod exceedance;
pub mod frame;
pub mod patterns;
pub mod registry;
mod scalar;
pub mod tax;
pub mod time;
pub mod validity;
