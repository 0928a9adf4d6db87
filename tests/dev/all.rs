//! All of them under one name, so that a runner can leave them for a run of their own.

mod demo;
mod lives;
mod refusals;
mod rights;
mod whole;
