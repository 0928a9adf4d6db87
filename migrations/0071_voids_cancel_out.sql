-- A row of the ledger is taken back by another row, or not at all: `voided` alone would take it out of billing. What is
-- voided of a row and of those that correct it adds up to nothing when the transaction commits, and is of one metric, job
-- and tenant. Rows from before this are not looked at.

CREATE FUNCTION usage_ledger_voids_cancel_out() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    original text := coalesce(NEW.corrects, NEW.id);
    amounts numeric;
    kinds bigint;
BEGIN
    SELECT sum(units), count(DISTINCT (tenant, job_id, metric)) INTO amounts, kinds
      FROM usage_ledger WHERE (id = original OR corrects = original) AND voided;
    IF amounts <> 0 OR kinds > 1 THEN
        RAISE EXCEPTION 'the usage ledger is append-only: what is taken back of % does not cancel out', original
            USING ERRCODE = 'restrict_violation', HINT = 'A row is voided together with a row that takes it back.';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER usage_ledger_voids AFTER INSERT OR UPDATE OF voided ON usage_ledger
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.voided) EXECUTE FUNCTION usage_ledger_voids_cancel_out();

-- Usage of a sandbox is born as such: later no row becomes free by its name, which no list of dead letters shows.
CREATE TRIGGER usage_ledger_tests BEFORE UPDATE OF dead_reason ON usage_ledger
    FOR EACH ROW WHEN (NEW.dead_reason = 'test mode' AND OLD.dead_reason IS DISTINCT FROM NEW.dead_reason)
    EXECUTE FUNCTION usage_ledger_is_append_only();
