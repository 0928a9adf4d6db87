-- What confirmations cost on chain: the gas of the transaction that confirmed a batch, and each job's share of it.
-- Expand: what was confirmed before, or is confirmed by code from before, has neither. NOT VALID: older rows are read for it by
-- 0078, and not here, where nobody else may read or write.

ALTER TABLE batches
    -- The transaction that confirmed the batch first: its gas was shared out, once. After a reorganisation the batch may
    -- stand in another one, tx_hash.
    ADD COLUMN gas_tx_hash bytea,
    ADD COLUMN gas_used bigint,
    -- Wei for a unit of gas.
    ADD COLUMN effective_gas_price numeric(39, 0),
    ADD CONSTRAINT batches_gas_tx_hash_check CHECK (octet_length(gas_tx_hash) = 32) NOT VALID,
    ADD CONSTRAINT batches_gas_used_check CHECK (gas_used >= 0) NOT VALID,
    ADD CONSTRAINT batches_effective_gas_price_check CHECK (effective_gas_price >= 0) NOT VALID,
    ADD CONSTRAINT batches_gas_check
        CHECK (num_nulls(gas_tx_hash, gas_used, effective_gas_price) IN (0, 3)) NOT VALID;

ALTER TABLE usage_ledger
    -- Of chain_confirmations: units of gas that the job's confirmation cost ...
    ADD COLUMN gas bigint,
    -- ... and the transaction whose gas_used they are a part of.
    ADD COLUMN gas_tx_hash bytea,
    ADD CONSTRAINT usage_ledger_gas_tx_hash_check CHECK (octet_length(gas_tx_hash) = 32) NOT VALID,
    ADD CONSTRAINT usage_ledger_gas_check CHECK (
        (gas IS NULL) = (gas_tx_hash IS NULL)
        AND (gas IS NULL OR metric = 'chain_confirmations' AND (gas >= 0 OR reason IS NOT NULL))) NOT VALID;

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
