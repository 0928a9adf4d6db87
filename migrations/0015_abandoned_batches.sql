-- A batch that can never be confirmed, because another root has set one of its bits: its jobs get new indices.
ALTER TABLE batches
    DROP CONSTRAINT batches_status_check,
    ADD CONSTRAINT batches_status_check CHECK (status IN ('SEALED', 'SENT', 'CONFIRMED', 'FINALIZED', 'ABANDONED')),
    -- Newest block when it was first seen that another root has one of its bits.
    ADD COLUMN refused_block bigint,
    -- Why it was abandoned.
    ADD COLUMN reason text;
