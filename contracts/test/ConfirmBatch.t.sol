// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.28;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

import {Entry, IndexSet} from "../src/IndexSet.sol";
import {Leaf, ZamaJobsRegistry} from "../src/ZamaJobsRegistry.sol";
import {BatchFixture} from "./BatchFixture.sol";

contract ConfirmBatchTest is BatchFixture {
    bytes32 internal constant ROOT = keccak256("a root");

    function test_SetsEveryBitOfTheBatchAndNoOther() public {
        confirmIndices(sequence(250, 12));
        for (uint256 index = 0; index < 600; ++index) {
            assertEq(registry.isConfirmed(index), index >= 250 && index < 262);
        }
    }

    function test_EmitsTheRootWithItsEntries() public {
        Entry[] memory entries = entriesOf(sequence(0, 3));
        vm.expectEmit(address(registry));
        emit ZamaJobsRegistry.BatchConfirmed(ROOT, entries);
        confirm(ROOT, entries);
    }

    function test_RemembersTheEntriesOfTheRoot() public {
        assertEq(registry.batchEntriesHash(ROOT), 0);
        Entry[] memory entries = entriesOf(sequence(0, 300));
        confirm(ROOT, entries);
        assertEq(registry.batchEntriesHash(ROOT), keccak256(abi.encode(entries)));
    }

    function test_AcceptsTheLastWordThatStandsForIndices() public {
        confirm(ROOT, _one(type(uint248).max, 1 << 255));
        assertTrue(registry.isConfirmed(type(uint256).max));
    }

    function test_RevertWhen_TheSameBatchIsSentAgain() public {
        Entry[] memory entries = entriesOf(sequence(0, 3));
        confirm(ROOT, entries);
        _confirmExpecting(ROOT, entries, abi.encodeWithSelector(ZamaJobsRegistry.RootAlreadyConfirmed.selector, ROOT));
    }

    function test_RevertWhen_AKnownRootComesWithOtherEntries() public {
        confirm(ROOT, entriesOf(sequence(0, 3)));
        _confirmExpecting(
            ROOT,
            entriesOf(sequence(50, 3)),
            abi.encodeWithSelector(ZamaJobsRegistry.RootAlreadyConfirmed.selector, ROOT)
        );
    }

    function test_RevertWhen_AnIndexWasConfirmedBefore_AndNothingIsWritten() public {
        confirm(ROOT, entriesOf(sequence(300, 10)));
        _confirmExpecting(
            keccak256("another"),
            entriesOf(sequence(0, 306)),
            abi.encodeWithSelector(ZamaJobsRegistry.IndexAlreadyConfirmed.selector, 300)
        );
        assertFalse(registry.isConfirmed(0));
        assertEq(registry.batchEntriesHash(keccak256("another")), 0);
    }

    function test_RevertWhen_TheRootIsZero() public {
        _confirmExpecting(0, entriesOf(sequence(0, 3)), abi.encodeWithSelector(ZamaJobsRegistry.RootIsZero.selector));
    }

    function test_RevertWhen_ThereAreNoEntries() public {
        _confirmExpecting(ROOT, new Entry[](0), abi.encodeWithSelector(ZamaJobsRegistry.BatchIsEmpty.selector));
    }

    function test_RevertWhen_AMaskIsZero() public {
        _confirmExpecting(ROOT, _one(7, 0), _notCanonical(0));
    }

    function test_RevertWhen_WordsDoNotIncrease() public {
        _confirmExpecting(ROOT, _two(7, 1, 7, 2), _notCanonical(1));
        _confirmExpecting(ROOT, _two(7, 1, 6, 2), _notCanonical(1));
    }

    function test_RevertWhen_AWordStandsForNoIndex() public {
        _confirmExpecting(ROOT, _one(uint256(type(uint248).max) + 1, 1), _notCanonical(0));
    }

    function test_RevertWhen_TheSenderIsNoConfirmer() public {
        Entry[] memory entries = entriesOf(sequence(0, 3));
        bytes32 role = registry.CONFIRMER_ROLE();
        vm.prank(admin);
        vm.expectRevert(abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, admin, role));
        registry.confirmBatch(ROOT, entries);
    }

    function test_RevertWhen_Paused_UntilTheAdminResumes() public {
        Entry[] memory entries = entriesOf(sequence(0, 3));
        vm.prank(admin);
        registry.pause();
        _confirmExpecting(ROOT, entries, abi.encodeWithSelector(Pausable.EnforcedPause.selector));
        vm.prank(admin);
        registry.unpause();
        confirm(ROOT, entries);
        assertTrue(registry.isConfirmed(2));
    }

    function test_RevertWhen_AStrangerPausesOrResumes() public {
        vm.startPrank(confirmer);
        vm.expectPartialRevert(IAccessControl.AccessControlUnauthorizedAccount.selector);
        registry.pause();
        vm.expectPartialRevert(IAccessControl.AccessControlUnauthorizedAccount.selector);
        registry.unpause();
        vm.stopPrank();
    }

    function test_TheDomainIsTheOneThatClientsSign() public view {
        (, string memory name, string memory version, uint256 chainId, address verifyingContract,,) =
            registry.eip712Domain();
        assertEq(name, "ZamaJobs");
        assertEq(version, "1");
        assertEq(chainId, block.chainid);
        assertEq(verifyingContract, address(registry));
    }

    function testFuzz_BatchesThatShareNoIndexAreAllConfirmed(uint256 seed, uint8 size) public {
        uint256[] memory first = scattered(seed, 0, uint256(size) + 1);
        uint256[] memory second = scattered(~seed, first[first.length - 1] + 1, uint256(size) + 1);
        confirmIndices(first);
        confirmIndices(second);
        for (uint256 i = 0; i < first.length; ++i) {
            assertTrue(registry.isConfirmed(first[i]));
            assertTrue(registry.isConfirmed(second[i]));
        }
    }

    function testFuzz_RevertWhen_OneIndexIsShared(uint256 seed, uint8 size, uint256 pick) public {
        uint256[] memory indices = scattered(seed, 0, uint256(size) + 1);
        confirmIndices(indices);
        uint256 shared = indices[pick % indices.length];
        _confirmExpecting(
            keccak256("another"),
            _one(shared / 256, 1 << (shared % 256)),
            abi.encodeWithSelector(ZamaJobsRegistry.IndexAlreadyConfirmed.selector, shared)
        );
    }

    function _confirmExpecting(bytes32 root, Entry[] memory entries, bytes memory revertData) private {
        vm.prank(confirmer);
        vm.expectRevert(revertData);
        registry.confirmBatch(root, entries);
    }

    function _notCanonical(uint256 position) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IndexSet.EntriesNotCanonical.selector, position);
    }

    function _one(uint256 word, uint256 mask) private pure returns (Entry[] memory entries) {
        entries = new Entry[](1);
        entries[0] = Entry(word, mask);
    }

    function _two(uint256 word, uint256 mask, uint256 nextWord, uint256 nextMask)
        private
        pure
        returns (Entry[] memory entries)
    {
        entries = new Entry[](2);
        entries[0] = Entry(word, mask);
        entries[1] = Entry(nextWord, nextMask);
    }
}
