// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.28;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

import {Entry} from "../src/IndexSet.sol";
import {Leaf, ZamaJobsRegistry} from "../src/ZamaJobsRegistry.sol";
import {BatchFixture} from "./BatchFixture.sol";

contract ConfirmJobTest is BatchFixture {
    function testFuzz_SetsItsBitAndVerifiesAsABatchOfOne(uint256 index) public {
        Leaf memory leaf = leafOf(index);
        _confirmJob(leaf);
        assertTrue(registry.isConfirmed(index));
        assertFalse(registry.isConfirmed(index ^ 1));
        assertFalse(registry.isConfirmed(index ^ 256));
        bytes32 root = registry.hashLeaf(leaf);
        Entry[] memory entries = _entriesOf(index);
        assertEq(registry.batchEntriesHash(root), keccak256(abi.encode(entries)));
        assertTrue(registry.verifyInclusion(root, entries, leaf, new bytes32[](0)));

        leaf.resultHash ^= bytes32(uint256(1));
        assertFalse(registry.verifyInclusion(root, entries, leaf, new bytes32[](0)));
        assertFalse(registry.verifyInclusion(registry.hashLeaf(leaf), entries, leaf, new bytes32[](0)));
    }

    function test_EmitsTheBatchThatItIsAndTheLeaf() public {
        Leaf memory leaf = leafOf(513);
        bytes32 leafHash = registry.hashLeaf(leaf);
        vm.expectEmit(address(registry));
        emit ZamaJobsRegistry.BatchConfirmed(leafHash, _entriesOf(513));
        vm.expectEmit(address(registry));
        emit ZamaJobsRegistry.JobConfirmed(leafHash, leaf.jobId, leaf.submitter, leaf);
        _confirmJob(leaf);
    }

    /// The same as confirmBatch with one leaf: whoever reads the registry cannot tell which of the two it was.
    function testFuzz_LeavesTheSameStateAsABatchOfOne(uint256 index) public {
        Leaf memory leaf = leafOf(index);
        uint256 before = vm.snapshotState();
        _confirmJob(leaf);
        bytes32 bySingle = registry.batchEntriesHash(registry.hashLeaf(leaf));
        vm.revertToState(before);
        uint256[] memory indices = new uint256[](1);
        indices[0] = index;
        confirmIndices(indices);
        assertEq(registry.batchEntriesHash(registry.hashLeaf(leaf)), bySingle);
    }

    function test_RevertWhen_TheJobIsConfirmedAgain() public {
        Leaf memory leaf = leafOf(5);
        _confirmJob(leaf);
        _refuses(leaf, abi.encodeWithSelector(ZamaJobsRegistry.RootAlreadyConfirmed.selector, registry.hashLeaf(leaf)));
        leaf.status = 2;
        _refuses(leaf, abi.encodeWithSelector(ZamaJobsRegistry.IndexAlreadyConfirmed.selector, 5));
    }

    function testFuzz_RevertWhen_ABatchHoldsTheJob(uint256 seed, uint8 size, uint256 pick) public {
        uint256[] memory indices = scattered(seed, seed % 1000, uint256(size) + 2);
        Leaf[] memory leaves = confirmIndices(indices);
        pick %= indices.length;
        _refuses(leaves[pick], abi.encodeWithSelector(ZamaJobsRegistry.IndexAlreadyConfirmed.selector, indices[pick]));
    }

    function testFuzz_RevertWhen_ABatchWouldConfirmTheJobAgain(uint256 seed, uint8 size, uint256 pick) public {
        uint256[] memory indices = scattered(seed, seed % 1000, uint256(size) + 2);
        pick %= indices.length;
        _confirmJob(leafOf(indices[pick]));
        bytes32 root = rootOf(leavesOf(indices));
        Entry[] memory entries = entriesOf(indices);
        bytes memory confirmedBefore =
            abi.encodeWithSelector(ZamaJobsRegistry.IndexAlreadyConfirmed.selector, indices[pick]);
        vm.prank(confirmer);
        vm.expectRevert(confirmedBefore);
        registry.confirmBatch(root, entries);

        bytes memory signature = signed(confirmerKey, root, entries, block.timestamp);
        vm.expectRevert(confirmedBefore);
        registry.confirmBatchSigned(root, entries, block.timestamp, signature);
    }

    function testFuzz_RevertWhen_TheSenderIsNoConfirmer(address sender) public {
        vm.assume(sender != confirmer);
        Leaf memory leaf = leafOf(5);
        bytes32 role = registry.CONFIRMER_ROLE();
        vm.prank(sender);
        vm.expectRevert(abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, sender, role));
        registry.confirmJob(leaf);
        assertFalse(registry.isConfirmed(5));
    }

    function test_RevertWhen_Paused() public {
        vm.prank(admin);
        registry.pause();
        _refuses(leafOf(5), abi.encodeWithSelector(Pausable.EnforcedPause.selector));
        assertFalse(registry.isConfirmed(5));
    }

    function _confirmJob(Leaf memory leaf) private {
        vm.prank(confirmer);
        registry.confirmJob(leaf);
    }

    function _refuses(Leaf memory leaf, bytes memory reason) private {
        vm.prank(confirmer);
        vm.expectRevert(reason);
        registry.confirmJob(leaf);
    }

    function _entriesOf(uint256 index) private pure returns (Entry[] memory) {
        uint256[] memory indices = new uint256[](1);
        indices[0] = index;
        return entriesOf(indices);
    }
}
