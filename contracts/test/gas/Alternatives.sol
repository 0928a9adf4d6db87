// SPDX-License-Identifier: BSD-3-Clause-Clear
pragma solidity ^0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

/// @notice What every alternative has in common with the registry: the role, the pause, and that nothing is confirmed
/// twice. The differences in gas are those of what is stored and said.
abstract contract Guarded is AccessControl, Pausable {
    bytes32 public constant CONFIRMER_ROLE = keccak256("CONFIRMER_ROLE");

    error AlreadyConfirmed(bytes32 jobId);

    constructor(address confirmer) {
        _grantRole(CONFIRMER_ROLE, confirmer);
    }
}

/// @notice A transaction a job: one slot with a digest of the job's facts, one event.
contract SingleDigest is Guarded {
    mapping(bytes32 jobId => bytes32 digest) public digests;

    event Confirmed(bytes32 indexed jobId, bytes32 digest);

    constructor(address confirmer) Guarded(confirmer) {}

    function confirm(bytes32 jobId, bytes32 digest) external onlyRole(CONFIRMER_ROLE) whenNotPaused {
        if (digests[jobId] != 0) revert AlreadyConfirmed(jobId);
        digests[jobId] = digest;
        emit Confirmed(jobId, digest);
    }
}

/// @notice A transaction a job: its facts in five slots for contracts to read, one event.
contract FiveSlotStruct is Guarded {
    struct Record {
        bytes32 jobId;
        address submitter;
        uint8 status;
        uint64 confirmedAt;
        bytes32 resultHash;
        bytes32 contentHash;
        bytes32 handle;
    }

    mapping(bytes32 jobId => Record record) public records;

    event Confirmed(bytes32 indexed jobId, address indexed submitter, bytes32 resultHash, uint8 status);

    constructor(address confirmer) Guarded(confirmer) {}

    function confirm(Record calldata record) external onlyRole(CONFIRMER_ROLE) whenNotPaused {
        if (records[record.jobId].jobId != 0) revert AlreadyConfirmed(record.jobId);
        records[record.jobId] = record;
        emit Confirmed(record.jobId, record.submitter, record.resultHash, record.status);
    }
}

/// @notice Many jobs a transaction, but still one slot and one event each.
contract BatchOfDigests is Guarded {
    mapping(bytes32 jobId => bytes32 digest) public digests;

    event Confirmed(bytes32 indexed jobId, bytes32 digest);

    constructor(address confirmer) Guarded(confirmer) {}

    function confirm(bytes32[] calldata jobIds, bytes32[] calldata newDigests)
        external
        onlyRole(CONFIRMER_ROLE)
        whenNotPaused
    {
        for (uint256 i = 0; i < jobIds.length; ++i) {
            bytes32 jobId = jobIds[i];
            if (digests[jobId] != 0) revert AlreadyConfirmed(jobId);
            digests[jobId] = newDigests[i];
            emit Confirmed(jobId, newDigests[i]);
        }
    }
}
