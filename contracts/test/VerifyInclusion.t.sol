// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.28;

import {Entry} from "../src/IndexSet.sol";
import {Leaf} from "../src/ZamaJobsRegistry.sol";
import {BatchFixture} from "./BatchFixture.sol";

contract VerifyInclusionTest is BatchFixture {
    function test_HoldsForEveryLeafOfEverySizeUpTo40() public {
        uint256 next;
        for (uint256 size = 1; size <= 40; ++size) {
            uint256[] memory indices = sequence(next, size);
            Leaf[] memory leaves = confirmIndices(indices);
            for (uint256 i = 0; i < size; ++i) {
                assertTrue(_verify(leaves, entriesOf(indices), leaves[i], proofOf(leaves, i)));
            }
            next += size;
        }
    }

    function test_HoldsWhilePaused() public {
        uint256[] memory indices = sequence(0, 5);
        Leaf[] memory leaves = confirmIndices(indices);
        vm.prank(admin);
        registry.pause();
        assertTrue(_verify(leaves, entriesOf(indices), leaves[3], proofOf(leaves, 3)));
    }

    function test_FailsForABatchThatWasNeverConfirmed() public view {
        uint256[] memory indices = sequence(0, 5);
        Leaf[] memory leaves = leavesOf(indices);
        assertFalse(_verify(leaves, entriesOf(indices), leaves[3], proofOf(leaves, 3)));
    }

    /// A confirmer seals two leaves in the wrong order: the tree holds them, but not at the rank of their bits.
    function test_FailsForALeafThatIsNotAtTheRankOfItsBit() public {
        uint256[] memory indices = sequence(0, 4);
        Leaf[] memory leaves = leavesOf(indices);
        (leaves[1], leaves[2]) = (leaves[2], leaves[1]);
        confirm(rootOf(leaves), entriesOf(indices));
        assertTrue(_verify(leaves, entriesOf(indices), leaves[0], proofOf(leaves, 0)));
        assertFalse(_verify(leaves, entriesOf(indices), leaves[1], proofOf(leaves, 1)));
        assertFalse(_verify(leaves, entriesOf(indices), leaves[2], proofOf(leaves, 2)));
    }

    /// Four leaves in the tree, bits for three: the fourth leaf is in the tree but was not confirmed.
    function test_FailsForALeafWithoutABit() public {
        uint256[] memory indices = sequence(0, 3);
        Leaf[] memory leaves = leavesOf(sequence(0, 4));
        confirm(rootOf(leaves), entriesOf(indices));
        assertFalse(_verify(leaves, entriesOf(indices), leaves[3], proofOf(leaves, 3)));
    }

    /// Bits for 0 and 2, leaves for 0 and 1: the second leaf stands where the second bit's leaf should.
    function test_FailsForALeafInThePlaceOfAnother() public {
        uint256[] memory indices = new uint256[](2);
        indices[1] = 2;
        Leaf[] memory leaves = leavesOf(sequence(0, 2));
        confirm(rootOf(leaves), entriesOf(indices));
        assertTrue(_verify(leaves, entriesOf(indices), leaves[0], proofOf(leaves, 0)));
        assertFalse(_verify(leaves, entriesOf(indices), leaves[1], proofOf(leaves, 1)));
    }

    function test_FailsForAProofThatIsTooShortOrTooLong() public {
        uint256[] memory indices = sequence(0, 4);
        Leaf[] memory leaves = confirmIndices(indices);
        bytes32[] memory proof = proofOf(leaves, 0);
        bytes32[] memory longer = new bytes32[](3);
        bytes32[] memory shorter = new bytes32[](1);
        (longer[0], longer[1], shorter[0]) = (proof[0], proof[1], proof[0]);
        assertFalse(_verify(leaves, entriesOf(indices), leaves[0], longer));
        assertFalse(_verify(leaves, entriesOf(indices), leaves[0], shorter));
    }

    function testFuzz_HoldsForTheLeafAndFailsForAnyChangeOfIt(uint256 seed, uint8 size, uint256 pick) public {
        uint256[] memory indices = scattered(seed, seed % 1000, uint256(size) + 1);
        Leaf[] memory leaves = confirmIndices(indices);
        Entry[] memory entries = entriesOf(indices);
        pick %= indices.length;
        bytes32[] memory proof = proofOf(leaves, pick);
        bytes32 root = rootOf(leaves);
        Leaf memory leaf = leaves[pick];

        assertTrue(registry.verifyInclusion(root, entries, leaf, proof));
        for (uint256 field = 0; field < 7; ++field) {
            assertFalse(registry.verifyInclusion(root, entries, _changed(leaf, field), proof));
        }
        if (proof.length != 0) {
            proof[seed % proof.length] ^= bytes32(uint256(1));
            assertFalse(registry.verifyInclusion(root, entries, leaf, proof));
            proof[seed % proof.length] ^= bytes32(uint256(1));
        }
        entries[0].mask ^= 1 << (seed & 0xff);
        assertFalse(registry.verifyInclusion(root, entries, leaf, proof));
    }

    function _verify(Leaf[] memory leaves, Entry[] memory entries, Leaf memory leaf, bytes32[] memory proof)
        private
        view
        returns (bool)
    {
        return registry.verifyInclusion(rootOf(leaves), entries, leaf, proof);
    }

    function _changed(Leaf memory leaf, uint256 field) private pure returns (Leaf memory changed) {
        changed =
            Leaf(leaf.index, leaf.jobId, leaf.submitter, leaf.resultHash, leaf.status, leaf.contentHash, leaf.handle);
        if (field == 0) changed.index += 1;
        if (field == 1) changed.jobId ^= bytes32(uint256(1));
        if (field == 2) changed.submitter = address(uint160(changed.submitter) ^ 1);
        if (field == 3) changed.resultHash ^= bytes32(uint256(1));
        if (field == 4) changed.status = 2;
        if (field == 5) changed.contentHash ^= bytes32(uint256(1));
        if (field == 6) changed.handle ^= bytes32(uint256(1));
    }
}
