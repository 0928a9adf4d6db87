//! docker-compose.yml tells all processes where the registry stands before it is deployed. The other rules of that file are
//! checked by tests/compose.

use alloy::primitives::address;

/// The first admin is anvil's first account, whose key `chain.deployer_key` is by default.
#[test]
fn the_registry_stands_where_docker_compose_says() {
    let registry = chain::registry_address(address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266"));
    let stated = format!("ZAMA_REGISTRY:-{registry}}}");
    let compose = include_str!("../../docker-compose.yml");
    assert!(compose.contains(&stated), "docker-compose.yml and .env.example must say {registry}");
}
