//! How fast: criterion benches for kernels and the packet decoder under
//! `benches/`, and whole-job comparisons with peers under `peers/`.
