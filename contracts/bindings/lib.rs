//! Rust bindings of `ZamaJobsRegistry`, made from the committed artifact so that a build needs no Node.
//! `contracts/check.sh` keeps the artifact equal to what the sources compile to.

mod code;
mod convert;
mod deployment;
mod statement;

pub use code::is_registry_code;
pub use deployment::{DEPLOYMENT, Deployment};
pub use registry::ZamaJobsRegistry;
pub use statement::BatchStatement;

mod registry {
    alloy::sol!(
        #[sol(rpc)]
        #[derive(Debug, PartialEq, Eq)]
        ZamaJobsRegistry,
        "artifacts/ZamaJobsRegistry.json"
    );
}
