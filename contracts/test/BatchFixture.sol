// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";

import {Entry} from "../src/IndexSet.sol";
import {PositionalMerkle} from "../src/PositionalMerkle.sol";
import {Leaf, ZamaJobsRegistry} from "../src/ZamaJobsRegistry.sol";

/// @notice A deployed registry and, for any indices, the leaves, entries, root and proofs of a batch.
/// The tree is built here level by level, on purpose not as `PositionalMerkle` walks it.
abstract contract BatchFixture is Test {
    ZamaJobsRegistry internal registry;
    address internal admin = makeAddr("admin");
    address internal confirmer;
    uint256 internal confirmerKey;

    function setUp() public virtual {
        (confirmer, confirmerKey) = makeAddrAndKey("confirmer");
        registry = new ZamaJobsRegistry(1 days, admin);
        bytes32 role = registry.CONFIRMER_ROLE();
        vm.prank(admin);
        registry.grantRole(role, confirmer);
    }

    function confirm(bytes32 root, Entry[] memory entries) internal {
        vm.prank(confirmer);
        registry.confirmBatch(root, entries);
    }

    /// The signature of `key` over the batch, for this registry on this chain.
    function signed(uint256 key, bytes32 root, Entry[] memory entries, uint256 deadline)
        internal
        view
        returns (bytes memory)
    {
        return encoded(key, registry.hashConfirmBatch(root, entries, deadline));
    }

    function encoded(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    /// Confirms a batch of these indices and returns its leaves.
    function confirmIndices(uint256[] memory indices) internal returns (Leaf[] memory leaves) {
        leaves = leavesOf(indices);
        confirm(rootOf(leaves), entriesOf(indices));
    }

    function sequence(uint256 first, uint256 count) internal pure returns (uint256[] memory indices) {
        indices = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            indices[i] = first + i;
        }
    }

    /// `count` increasing indices with gaps chosen by `seed`, some of them longer than a word.
    function scattered(uint256 seed, uint256 first, uint256 count) internal pure returns (uint256[] memory indices) {
        indices = new uint256[](count);
        uint256 index = first;
        for (uint256 i = 0; i < count; ++i) {
            indices[i] = index;
            uint256 random = uint256(keccak256(abi.encode(seed, i)));
            index += 1 + (random & 7 == 0 ? (random >> 8) % 700 : random >> 8 & 3);
        }
    }

    function leavesOf(uint256[] memory indices) internal pure returns (Leaf[] memory leaves) {
        leaves = new Leaf[](indices.length);
        for (uint256 i = 0; i < indices.length; ++i) {
            leaves[i] = leafOf(indices[i]);
        }
    }

    function leafOf(uint256 index) internal pure returns (Leaf memory leaf) {
        leaf.index = index;
        leaf.jobId = bytes32(bytes16(keccak256(abi.encode("job", index))));
        leaf.submitter = address(bytes20(keccak256(abi.encode("submitter", index))));
        leaf.resultHash = keccak256(abi.encode("result", index));
        leaf.status = 1;
        leaf.contentHash = keccak256(abi.encode("content", index));
    }

    function entriesOf(uint256[] memory indices) internal pure returns (Entry[] memory entries) {
        entries = new Entry[](indices.length);
        uint256 used;
        for (uint256 i = 0; i < indices.length; ++i) {
            uint256 word = indices[i] / 256;
            if (used == 0 || entries[used - 1].word != word) entries[used++].word = word;
            entries[used - 1].mask |= 1 << (indices[i] % 256);
        }
        assembly ("memory-safe") {
            mstore(entries, used)
        }
    }

    function rootOf(Leaf[] memory leaves) internal view returns (bytes32) {
        bytes32[] memory level = _bottom(leaves);
        while (level.length > 1) {
            level = _above(level);
        }
        return level[0];
    }

    function proofOf(Leaf[] memory leaves, uint256 position) internal view returns (bytes32[] memory proof) {
        bytes32[] memory level = _bottom(leaves);
        proof = new bytes32[](PositionalMerkle.height(leaves.length));
        for (uint256 i = 0; level.length > 1; ++i) {
            proof[i] = level[position ^ 1];
            position /= 2;
            level = _above(level);
        }
    }

    function _bottom(Leaf[] memory leaves) private view returns (bytes32[] memory level) {
        uint256 width = 1;
        while (width < leaves.length) width *= 2;
        level = new bytes32[](width);
        for (uint256 i = 0; i < leaves.length; ++i) {
            level[i] = registry.hashLeaf(leaves[i]);
        }
    }

    function _above(bytes32[] memory level) private pure returns (bytes32[] memory above) {
        above = new bytes32[](level.length / 2);
        for (uint256 i = 0; i < above.length; ++i) {
            above[i] = keccak256(abi.encodePacked(level[2 * i], level[2 * i + 1]));
        }
    }
}
