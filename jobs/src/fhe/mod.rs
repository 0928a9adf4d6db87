//! Encrypted jobs as clients name them: algorithms, programs, their types and what they cost. Nothing here knows tfhe.

pub mod program;
