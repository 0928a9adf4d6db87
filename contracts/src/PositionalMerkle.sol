// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.28;

/// @title PositionalMerkle
/// @notice A binary Merkle tree in which a leaf's position decides on which side each sibling stands.
/// @dev A node is keccak256(left | right). The leaves are padded with zero words to a power of two. Leaf hashes must be
/// made by hashing twice, so that no node can be passed off as a leaf.
library PositionalMerkle {
    /// @notice Whether `proof` leads from `leafHash` at `position` of `count` leaves to `root`.
    /// @param root The root to reach.
    /// @param leafHash Hash of the leaf.
    /// @param position Position of the leaf, from 0.
    /// @param count Number of leaves before padding.
    /// @param proof Siblings, from the leaf upwards; exactly as many as the tree of `count` leaves is high.
    /// @return valid False for any other root, leaf, position or proof.
    function verify(bytes32 root, bytes32 leafHash, uint256 position, uint256 count, bytes32[] calldata proof)
        internal
        pure
        returns (bool valid)
    {
        if (position >= count || proof.length != height(count)) return false;
        bytes32 node = leafHash;
        for (uint256 i = 0; i < proof.length; ++i) {
            node = position & 1 == 0 ? hashPair(node, proof[i]) : hashPair(proof[i], node);
            position >>= 1;
        }
        return node == root;
    }

    /// @notice Height of the tree over `count` leaves: the smallest h with 2^h >= count.
    /// @param count Number of leaves before padding.
    /// @return levels Number of siblings in a proof.
    function height(uint256 count) internal pure returns (uint256 levels) {
        while (levels < 255 && (1 << levels) < count) ++levels;
    }

    /// @notice Hash of an inner node.
    /// @param left Hash of the left child.
    /// @param right Hash of the right child.
    /// @return node keccak256(left | right).
    function hashPair(bytes32 left, bytes32 right) internal pure returns (bytes32 node) {
        assembly ("memory-safe") {
            mstore(0x00, left)
            mstore(0x20, right)
            node := keccak256(0x00, 0x40)
        }
    }
}
