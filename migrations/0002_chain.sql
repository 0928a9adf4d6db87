-- Confirmation on chain: which job waits, in which batch it was sealed, which transactions carried the batch.

-- Indices of the registry's bitmap. Gaps are allowed; an index is never given twice.
CREATE SEQUENCE confirmation_index MINVALUE 0 START 0;

-- A sealed batch. (root, entries) never changes: success is this root's event in a canonical block.
CREATE TABLE batches (
    id          uuid PRIMARY KEY,
    chain_id    bigint NOT NULL,
    registry    bytea NOT NULL CHECK (octet_length(registry) = 20),
    root        bytea NOT NULL CHECK (octet_length(root) = 32),
    entries     jsonb NOT NULL,
    job_count   integer NOT NULL CHECK (job_count > 0),
    status      text NOT NULL DEFAULT 'SEALED' CHECK (status IN ('SEALED', 'SENT', 'CONFIRMED', 'FINALIZED')),
    sealed_at   timestamptz NOT NULL DEFAULT now(),
    -- First block in which the batch's event can stand.
    from_block  bigint NOT NULL,
    tx_hash     bytea,
    block_number bigint,
    block_hash  bytea,
    confirmed_at timestamptz,
    UNIQUE (chain_id, registry, root)
);
CREATE INDEX batches_open ON batches (sealed_at) WHERE status IN ('SEALED', 'SENT');
CREATE INDEX batches_watched ON batches (sealed_at) WHERE status = 'CONFIRMED';

-- Write-ahead log of transactions: a row is committed before its bytes are sent.
CREATE TABLE chain_transactions (
    tx_hash     bytea PRIMARY KEY CHECK (octet_length(tx_hash) = 32),
    batch_id    uuid NOT NULL REFERENCES batches (id),
    sender      bytea NOT NULL CHECK (octet_length(sender) = 20),
    nonce       bigint NOT NULL,
    raw         bytea NOT NULL,
    max_fee_per_gas numeric(39, 0) NOT NULL,
    max_priority_fee_per_gas numeric(39, 0) NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX chain_transactions_by_batch ON chain_transactions (batch_id, created_at);

-- One row a job whose outcome goes on chain, written by the transaction that leaves PROCESSING.
CREATE TABLE confirmations (
    job_id      uuid PRIMARY KEY REFERENCES jobs (id),
    leaf_status smallint NOT NULL CHECK (leaf_status IN (1, 2)),
    salt        bytea NOT NULL CHECK (octet_length(salt) = 32),
    created_at  timestamptz NOT NULL DEFAULT now(),
    -- Given at sealing, kept for ever.
    leaf_index  bigint UNIQUE,
    batch_id    uuid REFERENCES batches (id),
    CHECK ((leaf_index IS NULL) = (batch_id IS NULL))
);
CREATE INDEX confirmations_unsealed ON confirmations (created_at) WHERE batch_id IS NULL;
CREATE INDEX confirmations_by_batch ON confirmations (batch_id, leaf_index);
