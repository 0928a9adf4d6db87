// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.28;

import {
    AccessControlDefaultAdminRules
} from "@openzeppelin/contracts/access/extensions/AccessControlDefaultAdminRules.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {Entry, IndexSet} from "./IndexSet.sol";
import {PositionalMerkle} from "./PositionalMerkle.sol";

/// @notice What is confirmed about one job.
struct Leaf {
    /// The job's sequential number, given once and for ever.
    uint256 index;
    /// The 16 bytes of the job's UUID, left-aligned.
    bytes32 jobId;
    /// Registered address of the client that submitted the job.
    address submitter;
    /// SHA-256 of the result's bytes; zero for a failed job.
    bytes32 resultHash;
    /// 1 completed, 2 failed.
    uint8 status;
    /// SHA-256(salt | content hash of the submitted body); the salt stands in the receipt.
    bytes32 contentHash;
    /// Commitment to inputs, program, key, result and attestation of an encrypted job; zero for a plain one.
    bytes32 handle;
}

/// @title ZamaJobsRegistry
/// @notice Confirms job results in batches: one bit for each job, so that none is ever confirmed twice, and one Merkle
/// root for each batch, against which a receipt proves its leaf. Keeps who else may retrieve an encrypted result, for
/// the key manager to read, and pins that key manager for clients.
/// @dev The leaves of a batch stand in the order of their indices, so a leaf's position is the rank of its bit in the
/// batch's entries. Nothing about a leaf is checked when a batch is confirmed; `verifyInclusion` checks all of it.
contract ZamaJobsRegistry is AccessControlDefaultAdminRules, Pausable, EIP712 {
    using IndexSet for Entry[];

    /// @notice May confirm batches.
    bytes32 public constant CONFIRMER_ROLE = keccak256("CONFIRMER_ROLE");
    /// @notice May pause confirmation; only the default admin may resume it.
    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");

    mapping(uint256 word => uint256 mask) private _confirmed;
    mapping(bytes32 root => bytes32 entriesHash) private _batches;
    mapping(bytes32 leafHash => mapping(address account => bool granted)) private _access;

    /// @notice Address of the key with which the key manager signs what it seals; zero until one is pinned.
    address public keyManager;

    /// @notice A batch was confirmed. There is at most one such event for a root.
    /// @param root Merkle root over the batch's leaves.
    /// @param entries Indices of the batch.
    event BatchConfirmed(bytes32 indexed root, Entry[] entries);

    /// @notice The submitter of a confirmed job lets `grantee` retrieve its result.
    /// @param leafHash Hash of the job's leaf.
    /// @param grantee Who may retrieve it, too.
    event AccessGranted(bytes32 indexed leafHash, address indexed grantee);
    /// @notice The submitter of a confirmed job takes back what it granted.
    /// @param leafHash Hash of the job's leaf.
    /// @param grantee Who may not retrieve it any more.
    event AccessRevoked(bytes32 indexed leafHash, address indexed grantee);
    /// @notice Another key manager is pinned.
    /// @param previous The one before; zero when there was none.
    /// @param current The one from now on; zero when there is none.
    event KeyManagerChanged(address indexed previous, address indexed current);

    /// @notice A batch needs a root that is not zero.
    error RootIsZero();
    /// @notice A batch needs at least one index.
    error BatchIsEmpty();
    /// @notice This very root was confirmed before.
    error RootAlreadyConfirmed(bytes32 root);
    /// @notice This index was confirmed before, under another root.
    error IndexAlreadyConfirmed(uint256 index);
    /// @notice This leaf was not confirmed in this batch.
    error LeafNotConfirmed(bytes32 leafHash);
    /// @notice Only the submitter in the leaf decides who may retrieve its result.
    error NotTheSubmitter(address caller);

    /// @param adminDelay Seconds that a transfer of the default admin role must wait.
    /// @param admin First default admin, who also gets PAUSER_ROLE and grants the other roles.
    constructor(uint48 adminDelay, address admin)
        AccessControlDefaultAdminRules(adminDelay, admin)
        EIP712("ZamaJobs", "1")
    {
        _grantRole(PAUSER_ROLE, admin);
    }

    /// @notice Confirms the jobs of a batch, all or none.
    /// @param root Merkle root over the batch's leaves in the order of their indices.
    /// @param entries Their indices: words strictly increasing, masks not zero, no index confirmed before.
    function confirmBatch(bytes32 root, Entry[] calldata entries) external onlyRole(CONFIRMER_ROLE) whenNotPaused {
        _confirm(root, entries);
    }

    /// @notice Lets `grantee` retrieve the result of a confirmed job. Granting again changes nothing.
    /// @param root The batch's root.
    /// @param entries The batch's entries, exactly as they were confirmed.
    /// @param leaf The job's leaf; its submitter is the caller.
    /// @param proof Siblings of the leaf, from the bottom up.
    /// @param grantee Who may retrieve the result, too.
    function grantAccess(
        bytes32 root,
        Entry[] calldata entries,
        Leaf calldata leaf,
        bytes32[] calldata proof,
        address grantee
    ) external {
        if (leaf.submitter != msg.sender) revert NotTheSubmitter(msg.sender);
        bytes32 leafHash = hashLeaf(leaf);
        if (!_includes(root, entries, leaf.index, leafHash, proof)) revert LeafNotConfirmed(leafHash);
        if (_access[leafHash][grantee]) return;
        _access[leafHash][grantee] = true;
        emit AccessGranted(leafHash, grantee);
    }

    /// @notice Takes back what was granted. Revoking what was never granted changes nothing.
    /// @param leaf The job's leaf; its submitter is the caller. No proof: without one nothing was granted.
    /// @param grantee Who may not retrieve the result any more.
    function revokeAccess(Leaf calldata leaf, address grantee) external {
        if (leaf.submitter != msg.sender) revert NotTheSubmitter(msg.sender);
        bytes32 leafHash = hashLeaf(leaf);
        if (!_access[leafHash][grantee]) return;
        delete _access[leafHash][grantee];
        emit AccessRevoked(leafHash, grantee);
    }

    /// @notice Pins the key whose signature clients look for on sealed results.
    /// @param manager Address of the key; zero pins none.
    function setKeyManager(address manager) external onlyRole(DEFAULT_ADMIN_ROLE) {
        emit KeyManagerChanged(keyManager, manager);
        keyManager = manager;
    }

    /// @notice Stops confirmation. Reading, verifying, granting and revoking go on.
    function pause() external onlyRole(PAUSER_ROLE) {
        _pause();
    }

    /// @notice Resumes confirmation.
    function unpause() external onlyRole(DEFAULT_ADMIN_ROLE) {
        _unpause();
    }

    /// @notice Whether a job was confirmed in any batch.
    /// @param index The job's index.
    /// @return confirmed True for ever once it was.
    function isConfirmed(uint256 index) external view returns (bool confirmed) {
        return (_confirmed[index >> 8] & (1 << (index & 0xff))) != 0;
    }

    /// @notice Hash of the entries under which a root was confirmed.
    /// @param root A batch's root.
    /// @return entriesHash keccak256(abi.encode(entries)), or zero when the root was never confirmed.
    function batchEntriesHash(bytes32 root) external view returns (bytes32 entriesHash) {
        return _batches[root];
    }

    /// @notice Whether the submitter of a confirmed job granted `account` access to its result. The submitter itself
    /// needs no grant and has none.
    /// @param leafHash Hash of the job's leaf.
    /// @param account Who wants to retrieve the result.
    /// @return granted True from the grant until it is revoked.
    function hasAccess(bytes32 leafHash, address account) external view returns (bool granted) {
        return _access[leafHash][account];
    }

    /// @notice Whether `leaf` was confirmed here in the batch (`root`, `entries`).
    /// @param root The batch's root.
    /// @param entries The batch's entries, exactly as they were confirmed.
    /// @param leaf The leaf to verify.
    /// @param proof Siblings of the leaf, from the bottom up.
    /// @return valid False for any other root, entries, leaf or proof; never reverts for well-formed arguments.
    function verifyInclusion(bytes32 root, Entry[] calldata entries, Leaf calldata leaf, bytes32[] calldata proof)
        external
        view
        returns (bool valid)
    {
        return _includes(root, entries, leaf.index, hashLeaf(leaf), proof);
    }

    /// @notice Hash under which a leaf stands in its tree.
    /// @param leaf The leaf.
    /// @return leafHash keccak256(keccak256(abi.encode(leaf))): hashed twice, so that no inner node can pose as a leaf.
    function hashLeaf(Leaf calldata leaf) public pure returns (bytes32 leafHash) {
        return keccak256(abi.encode(keccak256(abi.encode(leaf))));
    }

    /// @dev All ways to confirm end here: it alone writes the bitmap and the roots.
    function _confirm(bytes32 root, Entry[] calldata entries) private {
        if (root == 0) revert RootIsZero();
        if (entries.length == 0) revert BatchIsEmpty();
        if (_batches[root] != 0) revert RootAlreadyConfirmed(root);
        uint256 previousWord;
        for (uint256 i = 0; i < entries.length; ++i) {
            IndexSet.requireCanonical(entries[i], i, previousWord);
            uint256 word = entries[i].word;
            uint256 mask = entries[i].mask;
            uint256 before = _confirmed[word];
            if ((before & mask) != 0) revert IndexAlreadyConfirmed(_lowestIndex(word, before & mask));
            _confirmed[word] = before | mask;
            previousWord = word;
        }
        _batches[root] = keccak256(abi.encode(entries));
        emit BatchConfirmed(root, entries);
    }

    /// @dev Whether the leaf of `index` in the confirmed batch (`root`, `entries`) has the hash `leafHash`.
    function _includes(
        bytes32 root,
        Entry[] calldata entries,
        uint256 index,
        bytes32 leafHash,
        bytes32[] calldata proof
    ) private view returns (bool) {
        // A root that was never confirmed has the hash zero, which no list of entries has.
        if (_batches[root] != keccak256(abi.encode(entries))) return false;
        (bool member, uint256 rank, uint256 count) = entries.locate(index);
        return member && PositionalMerkle.verify(root, leafHash, rank, count, proof);
    }

    /// @dev The smallest index in `mask`, which must not be zero.
    function _lowestIndex(uint256 word, uint256 mask) private pure returns (uint256 index) {
        return word * 256 + IndexSet.popcount((mask & (~mask + 1)) - 1);
    }
}
