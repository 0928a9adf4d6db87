//! How the registry comes to its address: the parameters that `script/Deploy.s.sol` reads from the same file.

use std::sync::LazyLock;

use alloy::primitives::{Address, B256, Bytes, aliases::U48, keccak256};
use alloy::sol_types::SolConstructor;
use serde::Deserialize;

use crate::ZamaJobsRegistry;
use crate::ZamaJobsRegistry::constructorCall;

const PARAMETERS: &str = include_str!("../deployment.json");

/// The same on every chain: another value is another registry.
pub static DEPLOYMENT: LazyLock<Deployment> =
    LazyLock::new(|| serde_json::from_str(PARAMETERS).expect("the committed parameters are valid JSON"));

/// Where the registry stands, and what it is made with.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deployment {
    /// Arachnid's deployment proxy: same address on every chain, present on anvil from the start.
    pub deployer: Address,
    /// What the salt of CREATE2 is the hash of.
    salt: String,
    /// How long a transfer of the default admin role must wait.
    admin_delay_seconds: u32,
}

impl Deployment {
    /// The registry of this first admin.
    #[must_use]
    pub fn address(&self, admin: Address) -> Address {
        self.deployer.create2_from_code(self.salt(), init_code(self.admin_delay_seconds, admin))
    }

    /// What the deployer is called with so that the registry of this first admin stands there.
    #[must_use]
    pub fn call(&self, admin: Address) -> Bytes {
        [self.salt().as_slice(), &init_code(self.admin_delay_seconds, admin)].concat().into()
    }

    fn salt(&self) -> B256 {
        keccak256(&self.salt)
    }
}

fn init_code(admin_delay_seconds: u32, admin: Address) -> Vec<u8> {
    let arguments = constructorCall { adminDelay: U48::from(admin_delay_seconds), admin }.abi_encode();
    [ZamaJobsRegistry::BYTECODE.as_ref(), &arguments].concat()
}
