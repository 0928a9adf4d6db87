// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.28;

import {Entry, IndexSet} from "../../src/IndexSet.sol";
import {PositionalMerkle} from "../../src/PositionalMerkle.sol";
import {Leaf, ZamaJobsRegistry} from "../../src/ZamaJobsRegistry.sol";
import {BatchFixture} from "../BatchFixture.sol";

/// @notice A leaf with a proof, and what the Rust code says of it.
struct LeafCase {
    Leaf leaf;
    bytes32[] proof;
    bytes32 leafHash;
    bool included;
}

/// @notice Any node with a proof from any position of a tree of any size, and what the Rust code says of it.
struct NodeCase {
    bytes32 node;
    uint256 position;
    uint256 count;
    bytes32[] proof;
    bool leads;
}

/// @notice A batch and the cases that are held against it.
struct Group {
    bytes32 root;
    Entry[] entries;
    bytes32 entriesHash;
    bool canonical;
    LeafCase[] leaves;
    NodeCase[] nodes;
}

/// @notice Holds the registry to the Rust code: a real registry confirms each batch and gives its verdict on each case.
/// @dev The vectors are made by `contracts/examples/merkle-vectors`, a line a group: hex of abi.encode(group). The sample
/// runs with every test; `contracts/merkle-differential.sh` makes and checks as many as one likes.
contract MerkleDifferentialTest is BatchFixture {
    struct Tally {
        uint256 groups;
        uint256 refusedBatches;
        uint256 cases;
        uint256 accepted;
        uint256 sizes;
    }

    /// Numbers of leaves of the batches of which both have accepted a leaf at its rank.
    mapping(uint256 size => bool proved) private proved;

    function test_RustAndSolidityGiveTheSameVerdicts() public {
        string memory file = vm.envOr("MERKLE_VECTORS", string("test/differential/sample.hex"));
        Tally memory tally;
        // In a call of its own, so that the memory of one group is gone before the next.
        while (true) {
            (bool any, Tally memory more) = this.checkNext(file);
            if (!any) break;
            tally.groups += more.groups;
            tally.refusedBatches += more.refusedBatches;
            tally.cases += more.cases;
            tally.accepted += more.accepted;
            tally.sizes += more.sizes;
        }
        vm.closeFile(file);
        emit log_named_uint("groups", tally.groups);
        emit log_named_uint("batches that both refuse", tally.refusedBatches);
        emit log_named_uint("cases", tally.cases);
        emit log_named_uint("cases that both accept", tally.accepted);
        emit log_named_uint("sizes of batches with one", tally.sizes);
        // A file in which nothing is true, or everything, would prove little.
        assertGt(tally.refusedBatches, 0);
        assertGt(tally.accepted, tally.cases / 20);
        assertLt(tally.accepted, tally.cases / 2);
    }

    function checkNext(string calldata file) external returns (bool any, Tally memory tally) {
        string memory line = vm.readLine(file);
        if (bytes(line).length == 0) return (false, tally);
        Group memory group = abi.decode(vm.parseBytes(line), (Group));
        tally.groups = 1;
        registry = new ZamaJobsRegistry(1 days, admin);
        vm.prank(admin);
        registry.grantRole(keccak256("CONFIRMER_ROLE"), confirmer);

        vm.prank(confirmer);
        try registry.confirmBatch(group.root, group.entries) {
            assertTrue(group.canonical, "Rust calls entries not canonical that the registry takes");
            assertEq(registry.batchEntriesHash(group.root), group.entriesHash, "hash of the entries");
        } catch {
            assertFalse(group.canonical, "Rust calls entries canonical that the registry refuses");
            tally.refusedBatches = 1;
        }
        for (uint256 i = 0; i < group.leaves.length; ++i) {
            LeafCase memory one = group.leaves[i];
            assertEq(registry.hashLeaf(one.leaf), one.leafHash, "hash of the leaf");
            bool included = registry.verifyInclusion(group.root, group.entries, one.leaf, one.proof);
            assertEq(included, one.included, string.concat("leaf case ", vm.toString(i)));
            if (included) ++tally.accepted;
            if (included && _isFirstOfItsSize(group.entries)) ++tally.sizes;
        }
        for (uint256 i = 0; i < group.nodes.length; ++i) {
            NodeCase memory one = group.nodes[i];
            bool verdict = this.leads(group.root, one);
            assertEq(verdict, one.leads, string.concat("node case ", vm.toString(i)));
            if (verdict) ++tally.accepted;
        }
        tally.cases = group.leaves.length + group.nodes.length;
        return (true, tally);
    }

    function _isFirstOfItsSize(Entry[] memory entries) private returns (bool isFirst) {
        uint256 size;
        for (uint256 i = 0; i < entries.length; ++i) {
            size += IndexSet.popcount(entries[i].mask);
        }
        isFirst = !proved[size];
        proved[size] = true;
    }

    function leads(bytes32 root, NodeCase calldata one) external pure returns (bool) {
        return PositionalMerkle.verify(root, one.node, one.position, one.count, one.proof);
    }
}
