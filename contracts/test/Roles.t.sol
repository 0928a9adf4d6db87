// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.28;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {
    IAccessControlDefaultAdminRules
} from "@openzeppelin/contracts/access/extensions/IAccessControlDefaultAdminRules.sol";

import {ZamaJobsRegistry} from "../src/ZamaJobsRegistry.sol";
import {BatchFixture} from "./BatchFixture.sol";

contract RolesTest is BatchFixture {
    /// DEFAULT_ADMIN_ROLE: a call for it would take the prank that stands before.
    bytes32 internal constant ADMIN_ROLE = 0;

    address internal successor = makeAddr("successor");
    address internal pauser = makeAddr("pauser");

    function test_WhoeverDeploysHasNoRight() public {
        address deployer = makeAddr("deployer");
        vm.prank(deployer);
        ZamaJobsRegistry deployed = new ZamaJobsRegistry(1 days, admin);
        assertEq(deployed.defaultAdmin(), admin);
        assertFalse(deployed.hasRole(ADMIN_ROLE, deployer));
        assertFalse(deployed.hasRole(deployed.CONFIRMER_ROLE(), deployer));
        assertFalse(deployed.hasRole(deployed.PAUSER_ROLE(), deployer));
        // Not even the admin confirms before it has granted itself the role.
        assertFalse(deployed.hasRole(deployed.CONFIRMER_ROLE(), admin));
    }

    function test_TheAdminIsHandedOverOnlyAfterTheDelayAndOnlyWhenAccepted() public {
        vm.prank(admin);
        registry.beginDefaultAdminTransfer(successor);
        (address pending, uint48 schedule) = registry.pendingDefaultAdmin();
        assertEq(pending, successor);
        assertEq(schedule, block.timestamp + 1 days);

        vm.warp(schedule);
        vm.prank(successor);
        vm.expectRevert(
            abi.encodeWithSelector(
                IAccessControlDefaultAdminRules.AccessControlEnforcedDefaultAdminDelay.selector, schedule
            )
        );
        registry.acceptDefaultAdminTransfer();
        assertEq(registry.defaultAdmin(), admin);

        vm.warp(schedule + 1);
        vm.expectPartialRevert(IAccessControlDefaultAdminRules.AccessControlInvalidDefaultAdmin.selector);
        registry.acceptDefaultAdminTransfer();
        vm.prank(successor);
        registry.acceptDefaultAdminTransfer();
        assertEq(registry.defaultAdmin(), successor);
    }

    function test_AfterTheHandOverTheFormerAdminHasNoRight() public {
        bytes32 pauserRole = registry.PAUSER_ROLE();
        bytes32 confirmerRole = registry.CONFIRMER_ROLE();
        vm.startPrank(admin);
        registry.renounceRole(pauserRole, admin);
        registry.beginDefaultAdminTransfer(successor);
        vm.stopPrank();
        skip(1 days + 1);
        vm.prank(successor);
        registry.acceptDefaultAdminTransfer();

        vm.startPrank(admin);
        vm.expectRevert(_unauthorized(admin, ADMIN_ROLE));
        registry.grantRole(confirmerRole, admin);
        vm.expectRevert(_unauthorized(admin, pauserRole));
        registry.pause();
        vm.expectRevert(_unauthorized(admin, ADMIN_ROLE));
        registry.setKeyManager(admin);
        vm.stopPrank();
    }

    function test_AHandOverCanBeCalledOffUntilItIsAccepted() public {
        vm.startPrank(admin);
        registry.beginDefaultAdminTransfer(successor);
        registry.cancelDefaultAdminTransfer();
        vm.stopPrank();
        skip(2 days);
        vm.prank(successor);
        vm.expectPartialRevert(IAccessControlDefaultAdminRules.AccessControlInvalidDefaultAdmin.selector);
        registry.acceptDefaultAdminTransfer();
        assertEq(registry.defaultAdmin(), admin);
    }

    function test_ThereIsOneAdminAndNoneIsMadeByGranting() public {
        assertEq(registry.DEFAULT_ADMIN_ROLE(), ADMIN_ROLE);
        vm.startPrank(admin);
        vm.expectRevert(IAccessControlDefaultAdminRules.AccessControlEnforcedDefaultAdminRules.selector);
        registry.grantRole(ADMIN_ROLE, successor);
        vm.expectRevert(IAccessControlDefaultAdminRules.AccessControlEnforcedDefaultAdminRules.selector);
        registry.revokeRole(ADMIN_ROLE, admin);
        vm.stopPrank();
    }

    function test_APauserStopsAndOnlyTheAdminResumes() public {
        bytes32 pauserRole = registry.PAUSER_ROLE();
        vm.prank(admin);
        registry.grantRole(pauserRole, pauser);
        vm.prank(pauser);
        registry.pause();
        vm.prank(pauser);
        vm.expectRevert(_unauthorized(pauser, ADMIN_ROLE));
        registry.unpause();
        vm.prank(admin);
        registry.unpause();
        assertFalse(registry.paused());
    }

    function testFuzz_RevertWhen_AnybodyElseGrantsARole(address caller) public {
        vm.assume(caller != admin);
        bytes32 role = registry.CONFIRMER_ROLE();
        vm.prank(caller);
        vm.expectRevert(_unauthorized(caller, ADMIN_ROLE));
        registry.grantRole(role, caller);
        assertFalse(registry.hasRole(role, caller));
    }

    function _unauthorized(address account, bytes32 role) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, account, role);
    }
}
