//! Tells whether the code at an address is our registry's.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::ZamaJobsRegistry;

const ARTIFACT: &str = include_str!("../artifacts/ZamaJobsRegistry.json");

/// Parts of the code that the constructor fills in: they differ from chain to chain.
static IMMUTABLES: LazyLock<Vec<Immutable>> = LazyLock::new(|| {
    let artifact: Artifact = serde_json::from_str(ARTIFACT).expect("the committed artifact is valid JSON");
    artifact.deployed_bytecode.immutables
});

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Artifact {
    deployed_bytecode: DeployedBytecode,
}

#[derive(Deserialize)]
struct DeployedBytecode {
    immutables: Vec<Immutable>,
}

#[derive(Deserialize)]
struct Immutable {
    start: usize,
    length: usize,
}

/// Whether `code` (as `eth_getCode` returns it) is exactly this version's, whatever its immutables hold.
pub fn is_registry_code(code: &[u8]) -> bool {
    let mut masked = code.to_vec();
    for immutable in IMMUTABLES.iter() {
        match masked.get_mut(immutable.start..immutable.start + immutable.length) {
            Some(bytes) => bytes.fill(0),
            None => return false,
        }
    }
    masked == ZamaJobsRegistry::DEPLOYED_BYTECODE.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn immutables_may_differ_and_nothing_else() {
        let mut code = ZamaJobsRegistry::DEPLOYED_BYTECODE.to_vec();
        assert!(!IMMUTABLES.is_empty());
        code[IMMUTABLES[0].start] ^= 1;
        assert!(is_registry_code(&code));
        code[0] ^= 1;
        assert!(!is_registry_code(&code));
        assert!(!is_registry_code(&[]));
        assert!(!is_registry_code(&code[..code.len() - 1]));
    }
}
