// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.28;

import {Entry} from "../src/IndexSet.sol";
import {Leaf, ZamaJobsRegistry} from "../src/ZamaJobsRegistry.sol";
import {BatchFixture} from "./BatchFixture.sol";

contract AccessTest is BatchFixture {
    address internal friend = makeAddr("friend");
    uint256[] internal indices;
    Leaf[] internal leaves;

    function setUp() public override {
        super.setUp();
        indices = sequence(250, 9);
        Leaf[] memory confirmed = confirmIndices(indices);
        for (uint256 i = 0; i < confirmed.length; ++i) {
            leaves.push(confirmed[i]);
        }
    }

    function test_TheSubmitterGrantsAndRevokes() public {
        bytes32 leafHash = registry.hashLeaf(leaves[3]);
        assertFalse(registry.hasAccess(leafHash, friend));

        vm.expectEmit(address(registry));
        emit ZamaJobsRegistry.AccessGranted(leafHash, friend);
        _grant(3, leaves[3].submitter);
        assertTrue(registry.hasAccess(leafHash, friend));
        assertFalse(registry.hasAccess(leafHash, leaves[3].submitter));
        assertFalse(registry.hasAccess(registry.hashLeaf(leaves[4]), friend));

        vm.expectEmit(address(registry));
        emit ZamaJobsRegistry.AccessRevoked(leafHash, friend);
        _revoke(3, leaves[3].submitter);
        assertFalse(registry.hasAccess(leafHash, friend));
    }

    /// A root is a root, whichever way it was confirmed in.
    function testFuzz_TheSubmitterGrantsAndRevokesWhicheverWayTheJobWasConfirmed(uint256 way, uint8 size) public {
        uint256[] memory some = sequence(1000, way % 3 == 2 ? 1 : uint256(size) % 40 + 1);
        uint256 position = way % some.length;
        Leaf memory leaf = _confirmBy(way % 3, some)[position];
        bytes32 root = rootOf(leavesOf(some));
        bytes32[] memory proof = proofOf(leavesOf(some), position);
        vm.prank(leaf.submitter);
        registry.grantAccess(root, entriesOf(some), leaf, proof, friend);
        assertTrue(registry.hasAccess(registry.hashLeaf(leaf), friend));
        vm.prank(leaf.submitter);
        registry.revokeAccess(leaf, friend);
        assertFalse(registry.hasAccess(registry.hashLeaf(leaf), friend));
    }

    function test_RepeatingChangesAndSaysNothing() public {
        _grant(3, leaves[3].submitter);
        vm.recordLogs();
        _grant(3, leaves[3].submitter);
        assertTrue(registry.hasAccess(registry.hashLeaf(leaves[3]), friend));
        _revoke(4, leaves[4].submitter);
        assertEq(vm.getRecordedLogs().length, 0);
    }

    function test_GoesOnWhilePaused() public {
        vm.prank(admin);
        registry.pause();
        _grant(3, leaves[3].submitter);
        _revoke(3, leaves[3].submitter);
        assertFalse(registry.hasAccess(registry.hashLeaf(leaves[3]), friend));
    }

    function testFuzz_RevertWhen_AnybodyElseGrantsOrRevokes(address caller) public {
        vm.assume(caller != leaves[3].submitter);
        bytes memory notTheSubmitter = abi.encodeWithSelector(ZamaJobsRegistry.NotTheSubmitter.selector, caller);
        bytes32 root = rootOf(leaves);
        bytes32[] memory proof = proofOf(leaves, 3);
        vm.expectRevert(notTheSubmitter);
        vm.prank(caller);
        registry.grantAccess(root, entriesOf(indices), leaves[3], proof, friend);
        _grant(3, leaves[3].submitter);
        vm.expectRevert(notTheSubmitter);
        _revoke(3, caller);
        assertTrue(registry.hasAccess(registry.hashLeaf(leaves[3]), friend));
    }

    /// The thief puts itself in place of the submitter: then the leaf is not the confirmed one.
    function testFuzz_RevertWhen_TheLeafIsForged(uint256 seed, address thief) public {
        uint256 position = seed % leaves.length;
        vm.assume(thief != leaves[position].submitter);
        Leaf memory forged = leaves[position];
        forged.submitter = thief;
        _refuses(rootOf(leaves), entriesOf(indices), forged, proofOf(leaves, position));
    }

    function test_RevertWhen_TheBatchWasNeverConfirmed() public {
        uint256[] memory others = sequence(1000, 4);
        Leaf[] memory unconfirmed = leavesOf(others);
        _refuses(rootOf(unconfirmed), entriesOf(others), unconfirmed[1], proofOf(unconfirmed, 1));
    }

    function test_RevertWhen_TheProofIsAnotherLeafs() public {
        _refuses(rootOf(leaves), entriesOf(indices), leaves[3], proofOf(leaves, 5));
    }

    function test_TheAdminPinsAKeyManager() public {
        address first = makeAddr("first manager");
        assertEq(registry.keyManager(), address(0));
        vm.expectEmit(address(registry));
        emit ZamaJobsRegistry.KeyManagerChanged(address(0), first);
        vm.prank(admin);
        registry.setKeyManager(first);
        assertEq(registry.keyManager(), first);

        vm.expectEmit(address(registry));
        emit ZamaJobsRegistry.KeyManagerChanged(first, address(0));
        vm.prank(admin);
        registry.setKeyManager(address(0));
        assertEq(registry.keyManager(), address(0));
    }

    function testFuzz_RevertWhen_AnybodyElsePinsAKeyManager(address caller) public {
        vm.assume(caller != admin);
        vm.expectPartialRevert(bytes4(keccak256("AccessControlUnauthorizedAccount(address,bytes32)")));
        vm.prank(caller);
        registry.setKeyManager(caller);
        assertEq(registry.keyManager(), address(0));
    }

    /// Confirms a batch directly (0), by signature (1) or, when it is a single job, by its leaf (2).
    function _confirmBy(uint256 way, uint256[] memory some) private returns (Leaf[] memory confirmed) {
        if (way == 0) return confirmIndices(some);
        confirmed = leavesOf(some);
        if (way == 1) {
            bytes memory signature = signed(confirmerKey, rootOf(confirmed), entriesOf(some), block.timestamp);
            registry.confirmBatchSigned(rootOf(confirmed), entriesOf(some), block.timestamp, signature);
        } else {
            vm.prank(confirmer);
            registry.confirmJob(confirmed[0]);
        }
    }

    function _grant(uint256 position, address caller) private {
        bytes32 root = rootOf(leaves);
        bytes32[] memory proof = proofOf(leaves, position);
        Entry[] memory entries = entriesOf(indices);
        vm.prank(caller);
        registry.grantAccess(root, entries, leaves[position], proof, friend);
    }

    function _revoke(uint256 position, address caller) private {
        vm.prank(caller);
        registry.revokeAccess(leaves[position], friend);
    }

    /// The leaf's own submitter asks, and is told that the leaf was not confirmed so.
    function _refuses(bytes32 root, Entry[] memory entries, Leaf memory leaf, bytes32[] memory proof) private {
        bytes32 leafHash = registry.hashLeaf(leaf);
        vm.expectRevert(abi.encodeWithSelector(ZamaJobsRegistry.LeafNotConfirmed.selector, leafHash));
        vm.prank(leaf.submitter);
        registry.grantAccess(root, entries, leaf, proof, friend);
        assertFalse(registry.hasAccess(leafHash, friend));
    }
}
