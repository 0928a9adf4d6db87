// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.28;

import {
    AccessControlDefaultAdminRules
} from "@openzeppelin/contracts/access/extensions/AccessControlDefaultAdminRules.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
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
/// @notice Confirms job results: one bit for each job, so that none is ever confirmed twice, and one Merkle root for each
/// batch, against which a receipt proves its leaf. A batch comes from a confirmer, from anybody who relays a confirmer's
/// signature, or, for a single job, as its bare leaf. Keeps who else may retrieve an encrypted result, for the key
/// manager to read, and pins that key manager for clients.
/// @dev The leaves of a batch stand in the order of their indices, so a leaf's position is the rank of its bit in the
/// batch's entries. Nothing about a leaf is checked when a batch is confirmed; `verifyInclusion` checks all of it.
contract ZamaJobsRegistry is AccessControlDefaultAdminRules, Pausable, EIP712 {
    using IndexSet for Entry[];

    /// @notice May confirm jobs, and sign batches that others relay.
    bytes32 public constant CONFIRMER_ROLE = keccak256("CONFIRMER_ROLE");
    /// @notice May pause confirmation; only the default admin may resume it.
    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");

    /// @notice EIP-712 type of what a confirmer signs; `entriesHash` is keccak256(abi.encode(entries)).
    bytes32 public constant CONFIRM_BATCH_TYPEHASH =
        keccak256("ConfirmBatch(bytes32 root,bytes32 entriesHash,uint256 deadline)");

    mapping(uint256 word => uint256 mask) private _confirmed;
    mapping(bytes32 root => bytes32 entriesHash) private _batches;
    mapping(bytes32 leafHash => mapping(address account => bool granted)) private _access;

    /// @notice Address of the key with which the key manager signs what it seals; zero until one is pinned.
    address public keyManager;

    /// @notice A batch was confirmed, in whichever way. There is at most one such event for a root.
    /// @param root Merkle root over the batch's leaves.
    /// @param entries Indices of the batch.
    event BatchConfirmed(bytes32 indexed root, Entry[] entries);
    /// @notice A single job was confirmed by its leaf. The BatchConfirmed event of the batch that it is stands before.
    /// @param leafHash Hash of the leaf, which is the batch's root.
    /// @param jobId The job.
    /// @param submitter Who submitted it.
    /// @param leaf What was confirmed.
    event JobConfirmed(bytes32 indexed leafHash, bytes32 indexed jobId, address indexed submitter, Leaf leaf);

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
    /// @notice This very root was confirmed before; a signature over it is used up.
    /// @param root The batch's root.
    error RootAlreadyConfirmed(bytes32 root);
    /// @notice This index was confirmed before, under another root.
    /// @param index The smallest such index of the first entry that has one.
    error IndexAlreadyConfirmed(uint256 index);
    /// @notice The signed batch came too late.
    /// @param deadline Last second in which it could be relayed.
    error SignatureExpired(uint256 deadline);
    /// @notice The signature is not a confirmer's over this batch, deadline, chain and registry.
    /// @param signer Whose signature over them it is.
    error SignerNotConfirmer(address signer);
    /// @notice This leaf was not confirmed in this batch.
    /// @param leafHash Hash of the leaf.
    error LeafNotConfirmed(bytes32 leafHash);
    /// @notice Only the submitter in the leaf decides who may retrieve its result.
    /// @param caller Who tried to.
    error NotTheSubmitter(address caller);

    /// @notice The deploying account gets no role, unless it is `admin`.
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
        _confirm(root, entries, keccak256(abi.encode(entries)));
    }

    /// @notice Confirms the jobs of a batch that a confirmer signed; anybody may relay it. Nothing but the role of the
    /// signer is asked, and that at the time of relaying.
    /// @dev A root is confirmed once for ever, so a signature works once: the root is its nonce. Malformed signatures
    /// are refused with the errors of OpenZeppelin's ECDSA: one for the length, one for the upper half of `s`, one for
    /// those that nobody can have made.
    /// @param root Merkle root over the batch's leaves in the order of their indices.
    /// @param entries Their indices: words strictly increasing, masks not zero, no index confirmed before.
    /// @param deadline Last second, as block.timestamp counts, in which the batch may be relayed.
    /// @param signature r, s and v (65 bytes) over `hashConfirmBatch(root, entries, deadline)`.
    function confirmBatchSigned(bytes32 root, Entry[] calldata entries, uint256 deadline, bytes calldata signature)
        external
        whenNotPaused
    {
        // Whoever builds the block may shift its time by seconds: that much earlier or later the signature expires.
        // forge-lint: disable-next-line(block-timestamp)
        if (block.timestamp > deadline) revert SignatureExpired(deadline);
        bytes32 entriesHash = keccak256(abi.encode(entries));
        address signer = ECDSA.recoverCalldata(_digest(root, entriesHash, deadline), signature);
        if (!hasRole(CONFIRMER_ROLE, signer)) revert SignerNotConfirmer(signer);
        _confirm(root, entries, entriesHash);
    }

    /// @notice Confirms one job that cannot wait for a batch. It is a batch of one: its root is the leaf's hash, its only
    /// entry the leaf's index, its proof empty.
    /// @param leaf The job's leaf; its index was not confirmed before.
    function confirmJob(Leaf calldata leaf) external onlyRole(CONFIRMER_ROLE) whenNotPaused {
        bytes32 leafHash = hashLeaf(leaf);
        Entry[] memory entries = new Entry[](1);
        entries[0] = Entry({word: leaf.index >> 8, mask: 1 << (leaf.index & 0xff)});
        _requireNew(leafHash);
        _setBits(entries[0].word, entries[0].mask);
        _batches[leafHash] = keccak256(abi.encode(entries));
        emit BatchConfirmed(leafHash, entries);
        emit JobConfirmed(leafHash, leaf.jobId, leaf.submitter, leaf);
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

    /// @notice Stops confirmation in every way. Reading, verifying, granting and revoking go on.
    function pause() external onlyRole(PAUSER_ROLE) {
        _pause();
    }

    /// @notice Resumes confirmation.
    function unpause() external onlyRole(DEFAULT_ADMIN_ROLE) {
        _unpause();
    }

    /// @notice Whether a job was confirmed, in whichever way.
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

    /// @notice What a confirmer signs so that anybody may relay the batch: the EIP-712 hash of
    /// ConfirmBatch(root, keccak256(abi.encode(entries)), deadline) in this registry's domain.
    /// @param root The batch's root.
    /// @param entries The batch's entries.
    /// @param deadline Last second in which the batch may be relayed.
    /// @return digest The 32 bytes to sign as they are.
    function hashConfirmBatch(bytes32 root, Entry[] calldata entries, uint256 deadline)
        external
        view
        returns (bytes32 digest)
    {
        return _digest(root, keccak256(abi.encode(entries)), deadline);
    }

    /// @notice Hash under which a leaf stands in its tree.
    /// @param leaf The leaf.
    /// @return leafHash keccak256(keccak256(abi.encode(leaf))): hashed twice, so that no inner node can pose as a leaf.
    function hashLeaf(Leaf calldata leaf) public pure returns (bytes32 leafHash) {
        return keccak256(abi.encode(keccak256(abi.encode(leaf))));
    }

    /// @dev Both ways that take entries end here. `entriesHash` is keccak256(abi.encode(entries)).
    function _confirm(bytes32 root, Entry[] calldata entries, bytes32 entriesHash) private {
        if (root == 0) revert RootIsZero();
        if (entries.length == 0) revert BatchIsEmpty();
        _requireNew(root);
        uint256 previousWord;
        for (uint256 i = 0; i < entries.length; ++i) {
            IndexSet.requireCanonical(entries[i], i, previousWord);
            uint256 word = entries[i].word;
            _setBits(word, entries[i].mask);
            previousWord = word;
        }
        _batches[root] = entriesHash;
        emit BatchConfirmed(root, entries);
    }

    /// @dev Every way to confirm asks here whether the root is new.
    function _requireNew(bytes32 root) private view {
        if (_batches[root] != 0) revert RootAlreadyConfirmed(root);
    }

    /// @dev Every way to confirm sets its bits here, and nothing ever clears one.
    function _setBits(uint256 word, uint256 mask) private {
        uint256 before = _confirmed[word];
        if ((before & mask) != 0) revert IndexAlreadyConfirmed(_lowestIndex(word, before & mask));
        _confirmed[word] = before | mask;
    }

    /// @dev The EIP-712 hash that a confirmer signs.
    function _digest(bytes32 root, bytes32 entriesHash, uint256 deadline) private view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(CONFIRM_BATCH_TYPEHASH, root, entriesHash, deadline)));
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
