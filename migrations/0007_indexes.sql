-- Reads that any client or every look of the batcher makes.

-- A developer's list: own jobs, newest first.
CREATE INDEX jobs_by_user ON jobs (tenant, user_id, id DESC);
-- The newest anchored batches of a registry.
CREATE INDEX batches_anchored ON batches (chain_id, registry, block_number DESC) WHERE status IN ('CONFIRMED', 'FINALIZED');
