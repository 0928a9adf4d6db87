//! A tenant's prepaid credits: what is left of them, and top-ups.

pub mod get;
pub mod list;
pub mod one;
mod presentation;
pub mod top_up;
