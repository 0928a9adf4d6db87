// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.28;

import {Entry} from "../../src/IndexSet.sol";
import {Leaf} from "../../src/ZamaJobsRegistry.sol";
import {BatchFixture} from "../BatchFixture.sol";

/// @notice Gas of the calls beside confirmation, for a job in a batch of a thousand: whole transactions.
contract GasSnapshotTest is BatchFixture {
    address internal friend = makeAddr("friend");
    uint256[] internal indices;

    function setUp() public override {
        super.setUp();
        indices = sequence(0, 1000);
    }

    /// forge-config: default.isolate = true
    function test_GrantingRevokingAndVerifying() public {
        Leaf[] memory leaves = confirmIndices(indices);
        Leaf memory leaf = leaves[777];
        bytes32 root = rootOf(leaves);
        bytes32[] memory proof = proofOf(leaves, 777);
        Entry[] memory entries = entriesOf(indices);

        vm.prank(leaf.submitter);
        registry.grantAccess(root, entries, leaf, proof, friend);
        vm.snapshotGasLastCall("gas", "grantAccess");
        assertTrue(registry.hasAccess(registry.hashLeaf(leaf), friend));
        vm.prank(leaf.submitter);
        registry.revokeAccess(leaf, friend);
        vm.snapshotGasLastCall("gas", "revokeAccess");
        assertFalse(registry.hasAccess(registry.hashLeaf(leaf), friend));
        assertTrue(registry.verifyInclusion(root, entries, leaf, proof));
        vm.snapshotGasLastCall("gas", "verifyInclusion");
    }

    /// forge-config: default.isolate = true
    function test_PausingAndResuming() public {
        vm.prank(admin);
        registry.pause();
        vm.snapshotGasLastCall("gas", "pause");
        vm.prank(admin);
        registry.unpause();
        vm.snapshotGasLastCall("gas", "unpause");
        assertFalse(registry.paused());
    }
}
