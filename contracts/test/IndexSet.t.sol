// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";

import {Entry, IndexSet} from "../src/IndexSet.sol";
import {PositionalMerkle} from "../src/PositionalMerkle.sol";

contract IndexSetTest is Test {
    function testFuzz_PopcountCountsBits(uint256 value) public pure {
        uint256 ones;
        for (uint256 rest = value; rest != 0; rest >>= 1) {
            ones += rest & 1;
        }
        assertEq(IndexSet.popcount(value), ones);
    }

    function test_PopcountAtTheEdges() public pure {
        assertEq(IndexSet.popcount(0), 0);
        assertEq(IndexSet.popcount(type(uint256).max), 256);
        for (uint256 bit = 0; bit < 256; ++bit) {
            assertEq(IndexSet.popcount(1 << bit), 1);
            assertEq(IndexSet.popcount(~(1 << bit)), 255);
        }
    }

    function testFuzz_LocateCountsTheMembersBelow(uint256[4] memory masks, uint16 index) public view {
        Entry[] memory entries = new Entry[](4);
        for (uint256 i = 0; i < 4; ++i) {
            entries[i] = Entry(2 * i, masks[i]);
        }
        uint256 rank;
        uint256 count;
        for (uint256 i = 0; i < 7 * 256; ++i) {
            if (!_contains(masks, i)) continue;
            ++count;
            if (i < index) ++rank;
        }
        (bool member, uint256 actualRank, uint256 actualCount) = this.locate(entries, index);
        assertEq(member, _contains(masks, index));
        if (member) assertEq(actualRank, rank);
        assertEq(actualCount, count);
    }

    function test_HeightIsTheLengthOfAProof() public pure {
        uint256[8] memory counts = [uint256(1), 2, 3, 4, 5, 1000, 1024, 1025];
        uint256[8] memory heights = [uint256(0), 1, 2, 2, 3, 10, 10, 11];
        for (uint256 i = 0; i < 8; ++i) {
            assertEq(PositionalMerkle.height(counts[i]), heights[i]);
        }
    }

    function locate(Entry[] calldata entries, uint256 index) external pure returns (bool, uint256, uint256) {
        return IndexSet.locate(entries, index);
    }

    function _contains(uint256[4] memory masks, uint256 index) private pure returns (bool) {
        uint256 word = index / 256;
        return word % 2 == 0 && word < 8 && masks[word / 2] >> (index % 256) & 1 == 1;
    }
}
