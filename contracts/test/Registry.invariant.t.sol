// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.28;

import {Entry} from "../src/IndexSet.sol";
import {Leaf, ZamaJobsRegistry} from "../src/ZamaJobsRegistry.sol";
import {BatchFixture} from "./BatchFixture.sol";

/// @notice Confirms, repeats, overlaps, pauses and resumes in any order, and remembers what must be true then.
contract RegistryHandler is BatchFixture {
    struct Batch {
        bytes32 root;
        uint256[] indices;
    }

    uint256 public constant RANGE = 512;

    Batch[] internal _batches;
    mapping(uint256 index => uint256 times) public timesConfirmed;
    uint256 public refused;

    function batchCount() external view returns (uint256) {
        return _batches.length;
    }

    function theRegistry() external view returns (ZamaJobsRegistry) {
        return registry;
    }

    /// Sends any indices of the range; the registry must take them exactly when it runs and none was confirmed.
    function confirmAny(uint256 seed, uint256 first, uint8 size) external {
        uint256[] memory indices = scattered(seed, bound(first, 0, RANGE - 1), uint256(size) % 24 + 1);
        Leaf[] memory leaves = leavesOf(indices);
        bool mustPass = !registry.paused();
        for (uint256 i = 0; i < indices.length; ++i) {
            mustPass = mustPass && timesConfirmed[indices[i]] == 0;
        }
        _send(rootOf(leaves), indices, mustPass);
    }

    /// Sends a batch again that was confirmed before.
    function repeat(uint256 pick) external {
        if (_batches.length == 0) return;
        Batch storage batch = _batches[pick % _batches.length];
        _send(batch.root, batch.indices, false);
    }

    function togglePause() external {
        vm.startPrank(admin);
        if (registry.paused()) registry.unpause();
        else registry.pause();
        vm.stopPrank();
    }

    function verifyOne(uint256 pick, uint256 leafPick) external view returns (bool) {
        Batch storage batch = _batches[pick % _batches.length];
        uint256 position = leafPick % batch.indices.length;
        Leaf[] memory leaves = leavesOf(batch.indices);
        return
            registry.verifyInclusion(batch.root, entriesOf(batch.indices), leaves[position], proofOf(leaves, position));
    }

    function _send(bytes32 root, uint256[] memory indices, bool mustPass) private {
        Entry[] memory entries = entriesOf(indices);
        vm.prank(confirmer);
        try registry.confirmBatch(root, entries) {
            require(mustPass, "a batch was taken that had to be refused");
            _batches.push(Batch(root, indices));
            for (uint256 i = 0; i < indices.length; ++i) {
                ++timesConfirmed[indices[i]];
            }
        } catch {
            require(!mustPass, "a batch was refused that had to be taken");
            ++refused;
        }
    }
}

contract RegistryInvariantTest is BatchFixture {
    RegistryHandler internal handler;

    function setUp() public override {
        handler = new RegistryHandler();
        handler.setUp();
        registry = handler.theRegistry();
        bytes4[] memory selectors = new bytes4[](4);
        selectors[0] = RegistryHandler.confirmAny.selector;
        selectors[1] = RegistryHandler.repeat.selector;
        selectors[2] = RegistryHandler.togglePause.selector;
        selectors[3] = RegistryHandler.confirmAny.selector;
        targetContract(address(handler));
        targetSelector(FuzzSelector({addr: address(handler), selectors: selectors}));
    }

    function invariant_NoIndexIsConfirmedTwiceAndEveryBitIsKept() public view {
        for (uint256 index = 0; index < handler.RANGE() + 128; ++index) {
            uint256 times = handler.timesConfirmed(index);
            assertLe(times, 1);
            assertEq(registry.isConfirmed(index), times == 1);
        }
    }

    function invariant_EveryConfirmedBatchVerifiesForEver() public view {
        for (uint256 i = 0; i < handler.batchCount(); ++i) {
            assertTrue(handler.verifyOne(i, i));
            assertTrue(handler.verifyOne(i, type(uint256).max - i));
        }
    }
}
