-- What confirmations cost on chain: the gas of the transaction that confirmed a batch, and each job's share of it.
-- Expand: what was confirmed before, or is confirmed by code from before, has neither.

ALTER TABLE batches
    -- The transaction that confirmed the batch first: its gas was shared out, once. After a reorganisation the batch may
    -- stand in another one, tx_hash.
    ADD COLUMN gas_tx_hash bytea CHECK (octet_length(gas_tx_hash) = 32),
    ADD COLUMN gas_used bigint CHECK (gas_used >= 0),
    -- Wei for a unit of gas.
    ADD COLUMN effective_gas_price numeric(39, 0) CHECK (effective_gas_price >= 0),
    ADD CONSTRAINT batches_gas_check CHECK (num_nulls(gas_tx_hash, gas_used, effective_gas_price) IN (0, 3));

ALTER TABLE usage_ledger
    -- Of chain_confirmations: units of gas that the job's confirmation cost ...
    ADD COLUMN gas bigint,
    -- ... and the transaction whose gas_used they are a part of.
    ADD COLUMN gas_tx_hash bytea CHECK (octet_length(gas_tx_hash) = 32),
    ADD CONSTRAINT usage_ledger_gas_check CHECK (
        (gas IS NULL) = (gas_tx_hash IS NULL)
        AND (gas IS NULL OR metric = 'chain_confirmations' AND (gas >= 0 OR reason IS NOT NULL)));

-- As before, and what a row says of gas is as fixed as the rest of it.
CREATE OR REPLACE TRIGGER usage_ledger_fixed BEFORE UPDATE ON usage_ledger FOR EACH ROW WHEN (
    (NEW.id, NEW.tenant, NEW.job_id, NEW.metric, NEW.segment, NEW.units, NEW.occurred_at, NEW.reason, NEW.corrects,
     NEW.gas, NEW.gas_tx_hash)
        IS DISTINCT FROM
    (OLD.id, OLD.tenant, OLD.job_id, OLD.metric, OLD.segment, OLD.units, OLD.occurred_at, OLD.reason, OLD.corrects,
     OLD.gas, OLD.gas_tx_hash)
    OR OLD.billed_at IS NOT NULL AND NEW.billed_at IS DISTINCT FROM OLD.billed_at
       AND NOT (NEW.billed_at IS NULL AND OLD.dead_reason IS NOT NULL AND NEW.dead_reason IS NULL)
    OR OLD.delivered_at IS NOT NULL AND NEW.delivered_at IS DISTINCT FROM OLD.delivered_at
    OR OLD.dead_reason = 'test mode' AND NEW.dead_reason IS DISTINCT FROM OLD.dead_reason
    OR OLD.voided AND NOT NEW.voided
) EXECUTE FUNCTION usage_ledger_is_append_only();
