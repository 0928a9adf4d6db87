// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";

import {Deploy} from "../script/Deploy.s.sol";
import {ZamaJobsRegistry} from "../src/ZamaJobsRegistry.sol";

contract DeployTest is Test {
    /// Code of the deterministic deployment proxy.
    bytes internal constant PROXY =
        hex"7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3";

    Deploy internal script = new Deploy();
    address internal admin = makeAddr("admin");
    address internal payer = makeAddr("payer");
    Deploy.Roles internal roles = Deploy.Roles({
        confirmer: makeAddr("confirmer"), pauser: makeAddr("pauser"), keyManager: makeAddr("key manager")
    });

    function setUp() public {
        vm.etch(script.DEPLOYER(), PROXY);
    }

    function test_TheAddressFollowsFromTheCodeAndTheAdminWhoeverPays() public {
        uint256 before = vm.snapshotState();
        address first = address(script.deploy(admin));
        assertGt(first.code.length, 0);
        assertEq(first, script.registryAddress(admin));
        vm.revertToState(before);
        vm.prank(payer);
        assertEq(address(new Deploy().deploy(admin)), first);
        assertNotEq(script.registryAddress(payer), first);
    }

    function test_DeployingAgainChangesNothing() public {
        address first = address(script.deploy(admin));
        vm.etch(script.DEPLOYER(), "");
        assertEq(address(script.deploy(admin)), first);
    }

    function test_NeitherWhoPaysNorTheProxyHasARight() public {
        ZamaJobsRegistry registry = script.deploy(admin);
        address[3] memory deployers = [address(script), script.DEPLOYER(), address(this)];
        for (uint256 i = 0; i < 3; ++i) {
            assertFalse(registry.hasRole(registry.DEFAULT_ADMIN_ROLE(), deployers[i]));
            assertFalse(registry.hasRole(registry.CONFIRMER_ROLE(), deployers[i]));
            assertFalse(registry.hasRole(registry.PAUSER_ROLE(), deployers[i]));
        }
        assertEq(registry.defaultAdmin(), admin);
        assertEq(registry.defaultAdminDelay(), 1 days);
    }

    function test_TheAdminsCallsSetTheRolesUpAndThenNoneIsLeft() public {
        ZamaJobsRegistry registry = script.deploy(admin);
        bytes[] memory calls = script.adminCalls(registry, roles);
        assertEq(calls.length, 3);
        for (uint256 i = 0; i < calls.length; ++i) {
            vm.prank(admin);
            (bool done,) = address(registry).call(calls[i]);
            assertTrue(done);
        }
        assertTrue(registry.hasRole(registry.CONFIRMER_ROLE(), roles.confirmer));
        assertTrue(registry.hasRole(registry.PAUSER_ROLE(), roles.pauser));
        assertEq(registry.keyManager(), roles.keyManager);
        assertEq(script.adminCalls(registry, roles).length, 0);
        assertEq(script.adminCalls(registry, Deploy.Roles(address(0), address(0), address(0))).length, 0);
    }

    function test_RevertWhen_TheChainHasNoDeterministicDeployer() public {
        address deployer = script.DEPLOYER();
        vm.etch(deployer, "");
        vm.expectRevert(abi.encodeWithSelector(Deploy.NoDeterministicDeployer.selector, deployer));
        script.deploy(admin);
    }

    function test_RevertWhen_AnotherContractStandsAtTheDeployersAddress() public {
        vm.etch(script.DEPLOYER(), hex"00");
        address registry = script.registryAddress(admin);
        vm.expectRevert(abi.encodeWithSelector(Deploy.NotDeployed.selector, registry));
        script.deploy(admin);
    }
}
