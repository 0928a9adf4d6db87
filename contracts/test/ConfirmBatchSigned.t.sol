// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.28;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {Entry, IndexSet} from "../src/IndexSet.sol";
import {Leaf, ZamaJobsRegistry} from "../src/ZamaJobsRegistry.sol";
import {BatchFixture} from "./BatchFixture.sol";

contract ConfirmBatchSignedTest is BatchFixture {
    bytes32 internal constant ROOT = keccak256("a root");
    /// Order of the group in which secp256k1 computes.
    uint256 internal constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;

    address internal relayer = makeAddr("relayer");
    uint256 internal deadline = block.timestamp + 1 hours;

    function test_AnybodyRelaysWhatAConfirmerSigned() public {
        uint256[] memory indices = sequence(250, 12);
        Leaf[] memory leaves = leavesOf(indices);
        Entry[] memory entries = entriesOf(indices);
        bytes32 root = rootOf(leaves);
        bytes memory signature = signed(confirmerKey, root, entries, deadline);
        vm.expectEmit(address(registry));
        emit ZamaJobsRegistry.BatchConfirmed(root, entries);
        vm.prank(relayer);
        registry.confirmBatchSigned(root, entries, deadline, signature);

        assertEq(registry.batchEntriesHash(root), keccak256(abi.encode(entries)));
        for (uint256 index = 240; index < 270; ++index) {
            assertEq(registry.isConfirmed(index), index >= 250 && index < 262);
        }
        assertTrue(registry.verifyInclusion(root, entries, leaves[7], proofOf(leaves, 7)));
    }

    /// Built here from the text of the standard, so that a wrong type or domain in the contract shows.
    function test_TheDigestIsThatOfEip712() public view {
        Entry[] memory entries = entriesOf(sequence(3, 300));
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("ZamaJobs"),
                keccak256("1"),
                block.chainid,
                address(registry)
            )
        );
        bytes32 message = keccak256(
            abi.encode(
                keccak256("ConfirmBatch(bytes32 root,bytes32 entriesHash,uint256 deadline)"),
                ROOT,
                keccak256(abi.encode(entries)),
                deadline
            )
        );
        assertEq(
            registry.hashConfirmBatch(ROOT, entries, deadline), keccak256(abi.encodePacked(hex"1901", domain, message))
        );
    }

    function test_TheDeadlineItselfIsInTime() public {
        bytes memory signature = signed(confirmerKey, ROOT, _entries(), deadline);
        vm.warp(deadline);
        registry.confirmBatchSigned(ROOT, _entries(), deadline, signature);
        assertTrue(registry.isConfirmed(2));
    }

    function test_RevertWhen_TheDeadlineHasPassed() public {
        bytes memory signature = signed(confirmerKey, ROOT, _entries(), deadline);
        vm.warp(deadline + 1);
        _refuses(signature, abi.encodeWithSelector(ZamaJobsRegistry.SignatureExpired.selector, deadline));
    }

    function testFuzz_RevertWhen_AnybodyElseSigned(uint256 seed) public {
        uint256 key = bound(seed, 1, ORDER - 1);
        vm.assume(key != confirmerKey);
        bytes memory signature = signed(key, ROOT, _entries(), deadline);
        _refuses(signature, _notConfirmer(vm.addr(key)));
    }

    function test_RevertWhen_TheSignerLostItsRole() public {
        bytes memory signature = signed(confirmerKey, ROOT, _entries(), deadline);
        bytes32 role = registry.CONFIRMER_ROLE();
        vm.prank(admin);
        registry.revokeRole(role, confirmer);
        _refuses(signature, _notConfirmer(confirmer));
    }

    /// A confirmer that sends somebody else's signature is told whose it is: the caller does not count.
    function test_RevertWhen_AConfirmerRelaysAStrangersSignature() public {
        (address stranger, uint256 key) = makeAddrAndKey("stranger");
        bytes memory signature = signed(key, ROOT, _entries(), deadline);
        vm.prank(confirmer);
        vm.expectRevert(_notConfirmer(stranger));
        registry.confirmBatchSigned(ROOT, _entries(), deadline, signature);
    }

    function test_RevertWhen_SIsInItsUpperHalf() public {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(confirmerKey, registry.hashConfirmBatch(ROOT, _entries(), deadline));
        bytes32 upper = bytes32(ORDER - uint256(s));
        assertEq(ecrecover(registry.hashConfirmBatch(ROOT, _entries(), deadline), v ^ 7, r, upper), confirmer);
        _refuses(
            abi.encodePacked(r, upper, v ^ 7), abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureS.selector, upper)
        );
    }

    function testFuzz_RevertWhen_TheSignatureHasAnotherLength(uint16 length) public {
        vm.assume(length != 65);
        bytes memory signature = signed(confirmerKey, ROOT, _entries(), deadline);
        bytes memory other = new bytes(length);
        for (uint256 i = 0; i < length && i < 65; ++i) {
            other[i] = signature[i];
        }
        _refuses(other, abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, length));
    }

    function testFuzz_RevertWhen_NobodyCanHaveMadeTheSignature(uint8 v) public {
        vm.assume(v != 27 && v != 28);
        bytes memory signature = signed(confirmerKey, ROOT, _entries(), deadline);
        signature[64] = bytes1(v);
        _refuses(signature, abi.encodeWithSelector(ECDSA.ECDSAInvalidSignature.selector));
    }

    /// Whoever relays cannot change what was signed: another digest belongs to another signer.
    function testFuzz_RevertWhen_WhatWasSignedIsChanged(uint256 seed) public {
        bytes memory signature = signed(confirmerKey, ROOT, _entries(), deadline);
        bytes32 otherRoot = keccak256(abi.encode(seed));
        vm.expectPartialRevert(ZamaJobsRegistry.SignerNotConfirmer.selector);
        registry.confirmBatchSigned(otherRoot, _entries(), deadline, signature);
        Entry[] memory otherEntries = entriesOf(scattered(seed, 3, 1 + seed % 40));
        vm.expectPartialRevert(ZamaJobsRegistry.SignerNotConfirmer.selector);
        registry.confirmBatchSigned(ROOT, otherEntries, deadline, signature);
        vm.expectPartialRevert(ZamaJobsRegistry.SignerNotConfirmer.selector);
        registry.confirmBatchSigned(ROOT, _entries(), deadline + 1 + seed % 1 days, signature);
    }

    function testFuzz_RevertWhen_TheSignatureIsForAnotherChain(uint64 chainId) public {
        uint256 here = block.chainid;
        vm.assume(chainId != here && chainId != 0);
        vm.chainId(chainId);
        bytes memory signature = signed(confirmerKey, ROOT, _entries(), deadline);
        vm.chainId(here);
        vm.expectPartialRevert(ZamaJobsRegistry.SignerNotConfirmer.selector);
        registry.confirmBatchSigned(ROOT, _entries(), deadline, signature);
    }

    function test_RevertWhen_TheSignatureIsForAnotherRegistry() public {
        ZamaJobsRegistry other = new ZamaJobsRegistry(1 days, admin);
        bytes memory signature = encoded(confirmerKey, other.hashConfirmBatch(ROOT, _entries(), deadline));
        vm.expectPartialRevert(ZamaJobsRegistry.SignerNotConfirmer.selector);
        registry.confirmBatchSigned(ROOT, _entries(), deadline, signature);
    }

    function test_RevertWhen_TheSameSignatureComesAgain() public {
        bytes memory signature = signed(confirmerKey, ROOT, _entries(), deadline);
        registry.confirmBatchSigned(ROOT, _entries(), deadline, signature);
        _refuses(signature, abi.encodeWithSelector(ZamaJobsRegistry.RootAlreadyConfirmed.selector, ROOT));
    }

    /// Signed and sent at once, as a confirmer does whose relayer seems dead.
    function test_RevertWhen_TheBatchWasConfirmedWithoutItsSignature() public {
        bytes memory signature = signed(confirmerKey, ROOT, _entries(), deadline);
        confirm(ROOT, _entries());
        _refuses(signature, abi.encodeWithSelector(ZamaJobsRegistry.RootAlreadyConfirmed.selector, ROOT));
    }

    function test_RevertWhen_AnIndexWasConfirmedBefore() public {
        confirm(keccak256("another"), entriesOf(sequence(2, 1)));
        bytes memory signature = signed(confirmerKey, ROOT, _entries(), deadline);
        _refuses(signature, abi.encodeWithSelector(ZamaJobsRegistry.IndexAlreadyConfirmed.selector, 2));
    }

    function test_RevertWhen_TheSignedBatchHasNotTheForm() public {
        Entry[] memory falling = new Entry[](2);
        (falling[0], falling[1]) = (Entry(7, 1), Entry(6, 1));
        bytes memory signature = signed(confirmerKey, ROOT, falling, deadline);
        vm.expectRevert(abi.encodeWithSelector(IndexSet.EntriesNotCanonical.selector, 1));
        registry.confirmBatchSigned(ROOT, falling, deadline, signature);

        signature = signed(confirmerKey, ROOT, new Entry[](0), deadline);
        vm.expectRevert(ZamaJobsRegistry.BatchIsEmpty.selector);
        registry.confirmBatchSigned(ROOT, new Entry[](0), deadline, signature);

        signature = signed(confirmerKey, 0, _entries(), deadline);
        vm.expectRevert(ZamaJobsRegistry.RootIsZero.selector);
        registry.confirmBatchSigned(0, _entries(), deadline, signature);
    }

    function test_RevertWhen_Paused_AndTheSignatureIsStillGoodAfterwards() public {
        bytes memory signature = signed(confirmerKey, ROOT, _entries(), deadline);
        vm.prank(admin);
        registry.pause();
        _refuses(signature, abi.encodeWithSelector(Pausable.EnforcedPause.selector));
        vm.prank(admin);
        registry.unpause();
        registry.confirmBatchSigned(ROOT, _entries(), deadline, signature);
        assertTrue(registry.isConfirmed(0));
    }

    function _entries() private pure returns (Entry[] memory) {
        return entriesOf(sequence(0, 3));
    }

    function _notConfirmer(address signer) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ZamaJobsRegistry.SignerNotConfirmer.selector, signer);
    }

    function _refuses(bytes memory signature, bytes memory reason) private {
        bool before = registry.isConfirmed(0);
        vm.prank(relayer);
        vm.expectRevert(reason);
        registry.confirmBatchSigned(ROOT, _entries(), deadline, signature);
        assertEq(registry.isConfirmed(0), before);
    }
}
