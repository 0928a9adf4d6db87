// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.28;

import {Entry} from "../../src/IndexSet.sol";
import {Leaf, ZamaJobsRegistry} from "../../src/ZamaJobsRegistry.sol";
import {BatchFixture} from "../BatchFixture.sol";
import {BatchOfDigests, FiveSlotStruct, SingleDigest} from "./Alternatives.sol";

/// @notice Gas of whole transactions (21,000, calldata and execution) for each job, ours beside the alternatives. Indices
/// are confirmed in order, and the means, of gas and of bytes, go over so many batches that they fill whole words of the
/// bitmap.
/// @dev `contracts/gas-table.sh` runs it with GAS_TABLE=FOLDER and makes the README's table of what stands there then.
contract GasTableTest is BatchFixture {
    /// For each size that the table has: how many batches fill whole words.
    uint256[4] internal sizes = [uint256(1), 10, 100, 1000];
    uint256[4] internal batches = [uint256(256), 128, 64, 32];

    /// forge-config: default.isolate = true
    function test_SingleDigest() public {
        SingleDigest store = new SingleDigest(confirmer);
        uint256 total;
        for (uint256 i = 0; i < 16; ++i) {
            Leaf memory leaf = leafOf(i);
            bytes memory data = abi.encodeCall(store.confirm, (leaf.jobId, registry.hashLeaf(leaf)));
            total += _send("single digest", 1, address(store), data);
        }
        _note("single digest", 1, total / 16);
    }

    /// forge-config: default.isolate = true
    function test_FiveSlotStruct() public {
        FiveSlotStruct store = new FiveSlotStruct(confirmer);
        uint256 total;
        for (uint256 i = 0; i < 16; ++i) {
            Leaf memory leaf = leafOf(i);
            bytes memory data = abi.encodeCall(
                store.confirm,
                (FiveSlotStruct.Record({
                        jobId: leaf.jobId,
                        submitter: leaf.submitter,
                        status: leaf.status,
                        confirmedAt: uint64(block.timestamp),
                        resultHash: leaf.resultHash,
                        contentHash: leaf.contentHash,
                        handle: keccak256(abi.encode("handle", i))
                    }))
            );
            total += _send("five-slot struct", 1, address(store), data);
        }
        _note("five-slot struct", 1, total / 16);
    }

    /// forge-config: default.isolate = true
    function test_BatchOfDigests() public {
        uint256 next;
        BatchOfDigests store = new BatchOfDigests(confirmer);
        for (uint256 s = 0; s < sizes.length; ++s) {
            uint256 total;
            uint256 count = sizes[s] == 1000 ? 2 : 4;
            for (uint256 i = 0; i < count; ++i) {
                bytes32[] memory ids = new bytes32[](sizes[s]);
                bytes32[] memory digests = new bytes32[](sizes[s]);
                for (uint256 j = 0; j < sizes[s]; ++j) {
                    Leaf memory leaf = leafOf(next++);
                    (ids[j], digests[j]) = (leaf.jobId, registry.hashLeaf(leaf));
                }
                bytes memory data = abi.encodeCall(store.confirm, (ids, digests));
                total += _send("batch of digests", sizes[s], address(store), data);
            }
            _note("batch of digests", sizes[s], total / (sizes[s] * count));
        }
    }

    /// forge-config: default.isolate = true
    function test_ConfirmBatch() public {
        for (uint256 s = 0; s < sizes.length; ++s) {
            uint256 gas = _confirmBatches("confirmBatch", sizes[s], batches[s], false);
            _note("confirmBatch", sizes[s], gas);
            if (sizes[s] == 100) assertLe(gas, 700);
            if (sizes[s] == 1000) assertLe(gas, 170);
        }
    }

    /// forge-config: default.isolate = true
    function test_ConfirmBatchSigned() public {
        for (uint256 s = 0; s < sizes.length; ++s) {
            uint256 gas = _confirmBatches("confirmBatchSigned", sizes[s], batches[s], true);
            _note("confirmBatchSigned", sizes[s], gas);
        }
    }

    /// forge-config: default.isolate = true
    function test_ConfirmJob() public {
        uint256 total;
        for (uint256 i = 0; i < 256; ++i) {
            total += _send("confirmJob", 1, address(registry), abi.encodeCall(registry.confirmJob, (leafOf(i))));
        }
        _note("confirmJob", 1, total / 256);
    }

    /// A registry of its own, which has confirmed nothing yet: its words fill from the first on.
    function _confirmBatches(string memory way, uint256 size, uint256 count, bool bySignature)
        private
        returns (uint256 gasPerJob)
    {
        setUp();
        uint256 total;
        for (uint256 i = 0; i < count; ++i) {
            Entry[] memory entries = entriesOf(sequence(i * size, size));
            bytes32 root = keccak256(abi.encode(size, i));
            bytes memory data;
            if (bySignature) {
                bytes memory signature = signed(confirmerKey, root, entries, block.timestamp + 1 hours);
                data =
                    abi.encodeCall(registry.confirmBatchSigned, (root, entries, block.timestamp + 1 hours, signature));
            } else {
                data = abi.encodeCall(registry.confirmBatch, (root, entries));
            }
            total += _send(way, size, address(registry), data);
        }
        assertTrue(registry.isConfirmed(size * count - 1));
        return total / (size * count);
    }

    /// Gas of one transaction of the batches that go into a mean; notes its bytes.
    function _send(string memory way, uint256 size, address to, bytes memory data) private returns (uint256) {
        vm.prank(confirmer);
        (bool done,) = to.call(data);
        assertTrue(done);
        uint256 gas = vm.lastCallGas().gasTotalUsed;
        _write(way, size, string.concat('"data":"', vm.toString(data), '"'));
        return gas;
    }

    function _note(string memory way, uint256 size, uint256 gasPerJob) private {
        vm.snapshotValue("gas", string.concat(way, ", ", vm.toString(size)), gasPerJob);
        _write(way, size, string.concat('"gas":', vm.toString(gasPerJob)));
    }

    function _write(string memory way, uint256 size, string memory measured) private {
        string memory folder = vm.envOr("GAS_TABLE", string(""));
        if (bytes(folder).length == 0) return;
        string memory row = string.concat('{"way":"', way, '","size":', vm.toString(size), ",", measured, "}");
        vm.writeLine(string.concat(folder, "/", way), row);
    }
}
