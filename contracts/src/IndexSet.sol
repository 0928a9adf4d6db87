// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.28;

/// @notice 256 neighbouring job indices: bit `b` of `mask` stands for index `word * 256 + b`.
struct Entry {
    uint256 word;
    uint256 mask;
}

/// @title IndexSet
/// @notice A set of job indices as a list of entries: words strictly increasing, masks never zero.
/// One set has exactly one such list, so a hash of the list names the set.
library IndexSet {
    /// @notice The entry at `position` breaks the order, has no bit, or its word stands for no 256-bit index.
    /// @param position Its place in the list, from 0.
    error EntriesNotCanonical(uint256 position);

    /// @notice Reverts unless `entry` may follow a list that ends in `previousWord`.
    /// @param entry The entry to check.
    /// @param position Its position in the list.
    /// @param previousWord Word of the entry before it; ignored at position 0.
    function requireCanonical(Entry calldata entry, uint256 position, uint256 previousWord) internal pure {
        uint256 word = entry.word;
        if (entry.mask == 0 || word > type(uint248).max || (position != 0 && word <= previousWord)) {
            revert EntriesNotCanonical(position);
        }
    }

    /// @notice Where an index stands among the members of the set.
    /// @param entries A canonical list.
    /// @param index The index to look for.
    /// @return member Whether the set contains `index`.
    /// @return rank Number of members below `index`.
    /// @return count Number of members.
    function locate(Entry[] calldata entries, uint256 index)
        internal
        pure
        returns (bool member, uint256 rank, uint256 count)
    {
        uint256 word = index >> 8;
        uint256 bit = 1 << (index & 0xff);
        for (uint256 i = 0; i < entries.length; ++i) {
            uint256 mask = entries[i].mask;
            uint256 ones = popcount(mask);
            if (entries[i].word < word) {
                rank += ones;
            } else if (entries[i].word == word) {
                rank += popcount(mask & (bit - 1));
                member = (mask & bit) != 0;
            }
            count += ones;
        }
    }

    /// @notice Number of bits set in `value`.
    /// @param value Any word.
    /// @return ones Between 0 and 256.
    function popcount(uint256 value) internal pure returns (uint256 ones) {
        if (value == type(uint256).max) return 256;
        // Sums of neighbours in lanes of 2, 4 and 8 bits; the multiplication adds the 32 byte lanes into the top byte,
        // which holds every sum but 256.
        unchecked {
            value -= (value >> 1) & (type(uint256).max / 3);
            value = (value & (type(uint256).max / 5)) + ((value >> 2) & (type(uint256).max / 5));
            value = (value + (value >> 4)) & (type(uint256).max / 17);
            return (value * (type(uint256).max / 255)) >> 248;
        }
    }
}
