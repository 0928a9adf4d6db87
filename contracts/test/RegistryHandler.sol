// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.28;

import {Entry} from "../src/IndexSet.sol";
import {Leaf, ZamaJobsRegistry} from "../src/ZamaJobsRegistry.sol";
import {BatchFixture} from "./BatchFixture.sol";

/// @notice Uses a registry in every way, in any order and by several accounts, right and wrong ones, and keeps a model of
/// what must be true then. Each call knows beforehand whether the registry must take it and fails when it does not.
contract RegistryHandler is BatchFixture {
    struct Batch {
        bytes32 root;
        uint256[] indices;
    }

    /// A thing that the invariants look at: how often it happened in this run.
    enum Event {
        ConfirmedDirectly,
        ConfirmedBySignature,
        ConfirmedByLeaf,
        Granted,
        Revoked,
        Refused,
        RefusedWhilePaused
    }

    uint256 public constant RANGE = 128;
    uint256 internal constant ACTORS = 6;

    address[] internal _actors;
    uint256[] internal _keys;
    Batch[] internal _batches;
    bytes32[] internal _refusedRoots;
    mapping(uint256 index => uint256 times) public timesConfirmed;
    mapping(bytes32 root => bool confirmed) internal _isBatch;
    mapping(address actor => bool confirmer) internal _mayConfirm;
    mapping(bytes32 leafHash => mapping(address grantee => bool granted)) internal _granted;
    mapping(Event event_ => uint256 times) public times;
    bool internal _paused;

    function setUp() public override {
        super.setUp();
        for (uint256 i = 0; i < ACTORS; ++i) {
            (address actor, uint256 key) = makeAddrAndKey(string.concat("actor ", vm.toString(i)));
            _actors.push(actor);
            _keys.push(key);
        }
        _setConfirmer(0, true);
        _setConfirmer(1, true);
    }

    function batchCount() external view returns (uint256) {
        return _batches.length;
    }

    function theRegistry() external view returns (ZamaJobsRegistry) {
        return registry;
    }

    function isPaused() external view returns (bool) {
        return _paused;
    }

    /// Anybody sends a batch of any indices of the range.
    function confirmBatch(uint256 seed, uint256 actor, uint256 first, uint256 size) external {
        actor %= ACTORS;
        (bytes32 root, uint256[] memory indices) = _anyBatch(seed, first, size);
        _send(actor, root, indices);
    }

    /// Anybody relays a batch that anybody signed, in time or too late.
    function confirmBatchSigned(uint256 seed, uint256 signer, uint256 relayer, uint256 first, uint256 size) external {
        (bytes32 root, uint256[] memory indices) = _anyBatch(seed, first, size);
        _relay(signer % ACTORS, relayer % ACTORS, root, indices, seed % 5 != 0);
    }

    /// Anybody confirms a single job of the range.
    function confirmJob(uint256 actor, uint256 index) external {
        actor %= ACTORS;
        uint256[] memory indices = sequence(index % RANGE, 1);
        Leaf memory leaf = leafOf(indices[0]);
        bytes32 root = registry.hashLeaf(leaf);
        bool mustPass = _mayConfirm[_actors[actor]] && _isFree(root, indices);
        vm.prank(_actors[actor]);
        try registry.confirmJob(leaf) {
            _taken(mustPass, root, indices, Event.ConfirmedByLeaf);
        } catch {
            _refused(mustPass, root);
        }
    }

    /// A batch that was confirmed comes again, sent or signed.
    function repeat(uint256 pick, uint256 actor, bool asSignature) external {
        if (_batches.length == 0) return;
        Batch storage batch = _batches[pick % _batches.length];
        actor %= ACTORS;
        if (asSignature) _relay(actor, pick % ACTORS, batch.root, batch.indices, true);
        else _send(actor, batch.root, batch.indices);
    }

    function togglePause() external {
        vm.startPrank(admin);
        if (_paused) registry.unpause();
        else registry.pause();
        vm.stopPrank();
        _paused = !_paused;
    }

    /// The admin gives the role to an account or takes it away.
    function toggleConfirmer(uint256 actor) external {
        actor %= ACTORS;
        _setConfirmer(actor, !_mayConfirm[_actors[actor]]);
    }

    /// The submitter, or somebody else, grants or revokes: paused or not.
    function share(uint256 pick, uint256 grantee, bool grant, bool asSubmitter) external {
        if (_batches.length == 0) return;
        Batch storage batch = _batches[pick % _batches.length];
        Leaf[] memory leaves = leavesOf(batch.indices);
        uint256 position = grantee % leaves.length;
        Leaf memory leaf = leaves[position];
        bytes32[] memory proof = proofOf(leaves, position);
        Entry[] memory entries = entriesOf(batch.indices);
        bytes32 leafHash = registry.hashLeaf(leaf);
        address friend = _actors[grantee % ACTORS];
        vm.prank(asSubmitter ? leaf.submitter : friend);
        if (grant) {
            try registry.grantAccess(batch.root, entries, leaf, proof, friend) {
                require(asSubmitter, "a stranger granted access");
                _granted[leafHash][friend] = true;
                ++times[Event.Granted];
            } catch {
                require(!asSubmitter, "the submitter could not grant access");
            }
        } else {
            try registry.revokeAccess(leaf, friend) {
                require(asSubmitter, "a stranger revoked access");
                _granted[leafHash][friend] = false;
                ++times[Event.Revoked];
            } catch {
                require(!asSubmitter, "the submitter could not revoke access");
            }
        }
    }

    /// Whether the registry verifies one leaf of a confirmed batch.
    function verifiesOne(uint256 pick, uint256 leafPick) external view returns (bool) {
        Batch storage batch = _batches[pick % _batches.length];
        return _verifies(batch.root, batch.indices, leafPick % batch.indices.length);
    }

    /// Whether the grants of that leaf are exactly those that its submitter made and did not take back.
    function grantsAreRight(uint256 pick, uint256 leafPick) external view returns (bool) {
        Batch storage batch = _batches[pick % _batches.length];
        bytes32 leafHash = registry.hashLeaf(leafOf(batch.indices[leafPick % batch.indices.length]));
        for (uint256 i = 0; i < ACTORS; ++i) {
            if (registry.hasAccess(leafHash, _actors[i]) != _granted[leafHash][_actors[i]]) return false;
        }
        return true;
    }

    /// Whether the registry knows a root that it refused and that no confirmer brought in afterwards.
    function knowsARefusedRoot() external view returns (bool) {
        for (uint256 i = 0; i < _refusedRoots.length; ++i) {
            bytes32 root = _refusedRoots[i];
            if (!_isBatch[root] && registry.batchEntriesHash(root) != 0) return true;
        }
        return false;
    }

    function _send(uint256 actor, bytes32 root, uint256[] memory indices) private {
        Entry[] memory entries = entriesOf(indices);
        bool mustPass = _mayConfirm[_actors[actor]] && _isFree(root, indices);
        vm.prank(_actors[actor]);
        try registry.confirmBatch(root, entries) {
            _taken(mustPass, root, indices, Event.ConfirmedDirectly);
        } catch {
            _refused(mustPass, root);
        }
    }

    function _relay(uint256 signer, uint256 relayer, bytes32 root, uint256[] memory indices, bool inTime) private {
        Entry[] memory entries = entriesOf(indices);
        uint256 deadline = inTime ? block.timestamp : block.timestamp - 1;
        bytes memory signature = signed(_keys[signer], root, entries, deadline);
        bool mustPass = inTime && _mayConfirm[_actors[signer]] && _isFree(root, indices);
        vm.prank(_actors[relayer]);
        try registry.confirmBatchSigned(root, entries, deadline, signature) {
            _taken(mustPass, root, indices, Event.ConfirmedBySignature);
        } catch {
            _refused(mustPass, root);
        }
    }

    function _taken(bool mustPass, bytes32 root, uint256[] memory indices, Event way) private {
        require(mustPass, "a confirmation was taken that had to be refused");
        _batches.push(Batch(root, indices));
        _isBatch[root] = true;
        for (uint256 i = 0; i < indices.length; ++i) {
            ++timesConfirmed[indices[i]];
        }
        ++times[way];
    }

    function _refused(bool mustPass, bytes32 root) private {
        require(!mustPass, "a confirmation was refused that had to be taken");
        _refusedRoots.push(root);
        ++times[_paused ? Event.RefusedWhilePaused : Event.Refused];
    }

    function _setConfirmer(uint256 actor, bool may) private {
        bytes32 role = registry.CONFIRMER_ROLE();
        vm.prank(admin);
        if (may) registry.grantRole(role, _actors[actor]);
        else registry.revokeRole(role, _actors[actor]);
        _mayConfirm[_actors[actor]] = may;
    }

    /// Whether the registry runs, and neither the root nor one of the indices was confirmed.
    function _isFree(bytes32 root, uint256[] memory indices) private view returns (bool) {
        if (_paused || _isBatch[root]) return false;
        for (uint256 i = 0; i < indices.length; ++i) {
            if (timesConfirmed[indices[i]] != 0) return false;
        }
        return true;
    }

    function _verifies(bytes32 root, uint256[] memory indices, uint256 position) private view returns (bool) {
        Leaf[] memory leaves = leavesOf(indices);
        return registry.verifyInclusion(root, entriesOf(indices), leaves[position], proofOf(leaves, position));
    }

    function _anyBatch(uint256 seed, uint256 first, uint256 size)
        private
        view
        returns (bytes32 root, uint256[] memory indices)
    {
        indices = scattered(seed, first % RANGE, size % 16 + 1);
        root = rootOf(leavesOf(indices));
    }
}
