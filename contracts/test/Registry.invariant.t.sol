// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.28;

import {BatchFixture} from "./BatchFixture.sol";
import {RegistryHandler} from "./RegistryHandler.sol";

/// @notice What must hold after any sequence of calls by any accounts. The handler itself fails when the registry takes a
/// call that it must refuse (no role, a stranger's or a late signature, paused, confirmed before) or the other way round.
contract RegistryInvariantTest is BatchFixture {
    RegistryHandler internal handler;

    function setUp() public override {
        handler = new RegistryHandler();
        handler.setUp();
        registry = handler.theRegistry();
        bytes4[] memory selectors = new bytes4[](10);
        selectors[0] = RegistryHandler.confirmBatch.selector;
        selectors[1] = RegistryHandler.confirmBatchSigned.selector;
        selectors[2] = RegistryHandler.confirmJob.selector;
        selectors[3] = RegistryHandler.repeat.selector;
        selectors[4] = RegistryHandler.togglePause.selector;
        selectors[5] = RegistryHandler.toggleConfirmer.selector;
        selectors[6] = RegistryHandler.share.selector;
        // Twice as often as the rest.
        selectors[7] = RegistryHandler.confirmBatch.selector;
        selectors[8] = RegistryHandler.confirmBatchSigned.selector;
        selectors[9] = RegistryHandler.confirmJob.selector;
        targetContract(address(handler));
        targetSelector(FuzzSelector({addr: address(handler), selectors: selectors}));
    }

    function invariant_EveryJobIsConfirmedAtMostOnceByAnyMixAndItsBitIsKept() public view {
        for (uint256 index = 0; index < handler.RANGE() + 128; ++index) {
            uint256 times = handler.timesConfirmed(index);
            assertLe(times, 1);
            assertEq(registry.isConfirmed(index), times == 1);
        }
    }

    function invariant_EveryConfirmedBatchVerifiesForEver() public view {
        for (uint256 i = 0; i < handler.batchCount(); ++i) {
            assertTrue(handler.verifiesOne(i, i));
            assertTrue(handler.verifiesOne(i, type(uint256).max - i));
        }
    }

    function invariant_OnlyRootsByAConfirmerAreKnown() public view {
        assertFalse(handler.knowsARefusedRoot());
    }

    function invariant_AccessIsWhatTheSubmittersGranted() public view {
        for (uint256 i = 0; i < handler.batchCount(); ++i) {
            assertTrue(handler.grantsAreRight(i, i));
        }
    }

    function invariant_PausedIsWhatTheAdminSaid() public view {
        assertEq(registry.paused(), handler.isPaused());
    }
}

/// @notice The handler reaches what it is for: a run that confirmed nothing would prove nothing.
contract RegistryHandlerTest is BatchFixture {
    function test_EveryWayIsTakenAndRefusedInALongRun() public {
        RegistryHandler handler = new RegistryHandler();
        handler.setUp();
        for (uint256 i = 0; i < 300; ++i) {
            uint256 seed = uint256(keccak256(abi.encode(i)));
            uint256 step = seed % 13;
            uint256 pick = seed >> 8;
            if (step < 3) handler.confirmBatch(pick, pick >> 8, pick >> 16, pick >> 24);
            else if (step < 6) handler.confirmBatchSigned(pick, pick >> 8, pick >> 16, pick >> 24, pick >> 32);
            else if (step < 9) handler.confirmJob(pick, pick >> 8);
            else if (step == 9) handler.repeat(pick, pick >> 8, pick & 1 == 0);
            else if (step == 10) handler.togglePause();
            else if (step == 11) handler.toggleConfirmer(pick);
            else handler.share(pick, pick >> 8, pick & 3 != 0, pick & 12 != 0);
        }
        for (uint256 i = 0; i <= uint256(type(RegistryHandler.Event).max); ++i) {
            assertGt(handler.times(RegistryHandler.Event(i)), 0, vm.toString(i));
        }
    }
}
