-- The ledger is append-only: what a row says never changes, only where its delivery stands. A mistake is corrected by a
-- row of its own.

ALTER TABLE usage_ledger
    -- Why the row corrects another one; null in a row of use.
    ADD COLUMN reason text,
    -- The row that it corrects.
    ADD COLUMN corrects text REFERENCES usage_ledger (id),
    -- The row and one that takes it back cancel out: neither is ever billed.
    ADD COLUMN voided boolean NOT NULL DEFAULT false,
    DROP CONSTRAINT usage_ledger_units_check,
    ADD CONSTRAINT usage_ledger_units_check CHECK (units >= 0 OR reason IS NOT NULL),
    ADD CONSTRAINT usage_ledger_corrections_check CHECK ((reason IS NULL) = (corrects IS NULL));

-- Billed in a period: what is compared with the billing system.
CREATE INDEX usage_by_period ON usage_ledger (tenant, billed_at) WHERE billed_at IS NOT NULL;
-- What the billing system refused, for whoever looks after it.
CREATE INDEX usage_dead ON usage_ledger (occurred_at)
    WHERE dead_reason IS NOT NULL AND dead_reason <> 'test mode' AND NOT voided;

CREATE FUNCTION usage_ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the usage ledger is append-only'
        USING ERRCODE = 'restrict_violation', HINT = 'A mistake is corrected by a row: zama-jobs billing correct.';
END $$;

CREATE TRIGGER usage_ledger_kept BEFORE DELETE OR TRUNCATE ON usage_ledger
    FOR EACH STATEMENT EXECUTE FUNCTION usage_ledger_is_append_only();
-- A time under which a row may have been sent is frozen, unless the billing system refused the row and it is tried again.
CREATE TRIGGER usage_ledger_fixed BEFORE UPDATE ON usage_ledger FOR EACH ROW WHEN (
    (NEW.id, NEW.tenant, NEW.job_id, NEW.metric, NEW.segment, NEW.units, NEW.occurred_at, NEW.reason, NEW.corrects)
        IS DISTINCT FROM
    (OLD.id, OLD.tenant, OLD.job_id, OLD.metric, OLD.segment, OLD.units, OLD.occurred_at, OLD.reason, OLD.corrects)
    OR OLD.billed_at IS NOT NULL AND NEW.billed_at IS DISTINCT FROM OLD.billed_at
       AND NOT (NEW.billed_at IS NULL AND OLD.dead_reason IS NOT NULL AND NEW.dead_reason IS NULL)
    OR OLD.delivered_at IS NOT NULL AND NEW.delivered_at IS DISTINCT FROM OLD.delivered_at
    OR OLD.dead_reason = 'test mode' AND NEW.dead_reason IS DISTINCT FROM OLD.dead_reason
    OR OLD.voided AND NOT NEW.voided
) EXECUTE FUNCTION usage_ledger_is_append_only();

-- What corrects a row.
CREATE INDEX usage_corrections ON usage_ledger (corrects) WHERE corrects IS NOT NULL;
