-- Encrypted jobs: what they were computed on, how often it was tried, where a computation can go on, and what the leaf
-- commits to.

-- The blob that a job computes on, noted once: a URL is never fetched twice, and what its owner changes there later
-- changes nothing here.
CREATE TABLE job_inputs (
    job_id      uuid PRIMARY KEY REFERENCES jobs (id),
    sha256      bytea NOT NULL CHECK (octet_length(sha256) = 32),
    size        bigint NOT NULL CHECK (size >= 0),
    noted_at    timestamptz NOT NULL DEFAULT now()
);

-- One row an attempt, committed before the attempt begins: bytes that kill whoever reads them are found out even when
-- nobody is left to tell.
CREATE TABLE fhe_attempts (
    job_id      uuid NOT NULL REFERENCES jobs (id),
    attempt     integer NOT NULL CHECK (attempt > 0),
    -- Reading is over when the inputs are verified and the program is compiled.
    phase       text NOT NULL DEFAULT 'reading' CHECK (phase IN ('reading', 'computing')),
    -- Null: it runs, or its worker died.
    outcome     text CHECK (outcome IN ('computed', 'refused', 'stopped', 'given_back', 'died', 'failed')),
    -- Bootstrappings of the whole program, once it is compiled, and those that are done, checkpoints included.
    pbs         bigint CHECK (pbs >= 0),
    pbs_done    bigint NOT NULL DEFAULT 0 CHECK (pbs_done >= 0),
    began_at    timestamptz NOT NULL DEFAULT now(),
    ended_at    timestamptz,
    PRIMARY KEY (job_id, attempt),
    CHECK ((outcome IS NULL) = (ended_at IS NULL)),
    CHECK ((phase = 'computing') = (pbs IS NOT NULL))
);

-- The newest checkpoint of a job; its values lie in the blob store. Believed only with the worker's MAC.
CREATE TABLE fhe_checkpoints (
    job_id      uuid PRIMARY KEY REFERENCES jobs (id),
    step        bigint NOT NULL CHECK (step >= 0),
    program_hash bytea NOT NULL CHECK (octet_length(program_hash) = 32),
    inputs_hash bytea NOT NULL CHECK (octet_length(inputs_hash) = 32),
    sha256      bytea NOT NULL CHECK (octet_length(sha256) = 32),
    size        bigint NOT NULL CHECK (size >= 0),
    mac         bytea NOT NULL CHECK (octet_length(mac) = 32),
    saved_at    timestamptz NOT NULL DEFAULT now()
);

-- What an encrypted job's leaf commits to beside its result, written by the transaction that leaves PROCESSING.
CREATE TABLE fhe_handles (
    job_id      uuid PRIMARY KEY REFERENCES jobs (id),
    inputs_hash bytea NOT NULL CHECK (octet_length(inputs_hash) = 32),
    program_hash bytea NOT NULL CHECK (octet_length(program_hash) = 32),
    key_id      bytea NOT NULL CHECK (octet_length(key_id) = 32),
    -- EIP-712 digest that the worker signed, and its signature (r, s, v).
    attestation_hash bytea NOT NULL CHECK (octet_length(attestation_hash) = 32),
    attestation bytea NOT NULL CHECK (octet_length(attestation) = 65),
    -- Version, parameters and evaluation profile: where the same inputs give the same bytes.
    manifest    jsonb NOT NULL
);

-- Length of a result whose bytes lie in the blob store; null where they stand in result_bytes.
ALTER TABLE jobs ADD COLUMN result_size bigint CHECK (result_size >= 0);
