// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.28;

import {Script} from "forge-std/Script.sol";

import {ZamaJobsRegistry} from "../src/ZamaJobsRegistry.sol";

/// @notice Deploys the registry to the address that `zama-jobs chain deploy` uses as well: same deployer contract,
/// salt and arguments. The broadcasting account becomes default admin.
/// @dev CONFIRMER=0x... tools/forge.sh script script/Deploy.s.sol --rpc-url URL --private-key KEY --broadcast
contract Deploy is Script {
    bytes32 internal constant SALT = keccak256("zama-jobs/registry/v1");
    uint48 internal constant ADMIN_DELAY = 1 days;

    function run() external returns (ZamaJobsRegistry registry) {
        address confirmer = vm.envAddress("CONFIRMER");
        vm.startBroadcast();
        registry = new ZamaJobsRegistry{salt: SALT}(ADMIN_DELAY, msg.sender);
        registry.grantRole(registry.CONFIRMER_ROLE(), confirmer);
        vm.stopBroadcast();
    }
}
