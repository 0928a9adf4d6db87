// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.28;

import {Entry} from "../src/IndexSet.sol";
import {BatchFixture} from "./BatchFixture.sol";

/// @notice Gas of a whole transaction for each job, in a registry that confirms its indices in order.
contract GasTest is BatchFixture {
    /// forge-config: default.isolate = true
    function test_AHundredJobsCost700EachOrLess() public {
        assertLe(_gasPerJob(100, 12), 700);
    }

    /// forge-config: default.isolate = true
    function test_AThousandJobsCost170EachOrLess() public {
        assertLe(_gasPerJob(1000, 4), 170);
    }

    /// Mean over several batches in a row: how many words are new differs from batch to batch.
    function _gasPerJob(uint256 size, uint256 batches) private returns (uint256) {
        confirm(keccak256("the first"), entriesOf(sequence(0, 1)));
        uint256 total;
        for (uint256 i = 0; i < batches; ++i) {
            Entry[] memory entries = entriesOf(sequence(1 + i * size, size));
            bytes32 root = keccak256(abi.encode(size, i));
            confirm(root, entries);
            total += vm.lastCallGas().gasTotalUsed;
        }
        emit log_named_uint("gas a job", total / (size * batches));
        return total / (size * batches);
    }
}
