-- How many jobs of a user may be PENDING or PROCESSING at once. Each takes a slot for as long as it is either; where the
-- plan has no limit the column is null. The index is the limit's guarantee: no slot is taken twice.
ALTER TABLE jobs ADD COLUMN active_slot integer CHECK (active_slot > 0);
CREATE UNIQUE INDEX jobs_active_slots ON jobs (tenant, user_id, active_slot)
    WHERE active_slot IS NOT NULL AND status IN ('PENDING', 'PROCESSING');

-- A free slot of 1 to `at_most`, the caller's until its transaction ends; null when there is none. Nobody waits: who finds
-- a slot held by another admission tries another one.
CREATE FUNCTION take_active_slot(of_tenant text, of_user text, at_most integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    candidate integer;
BEGIN
    FOR candidate IN
        SELECT slot FROM generate_series(1, at_most) AS slot
         WHERE NOT EXISTS (SELECT FROM jobs WHERE tenant = of_tenant AND user_id = of_user AND active_slot = slot
                                              AND status IN ('PENDING', 'PROCESSING'))
         ORDER BY random()
    LOOP
        CONTINUE WHEN NOT pg_try_advisory_xact_lock(
            hashtextextended(format('active_slot/%s/%s/%s', of_tenant, of_user, candidate), 0));
        -- Its former holder may have committed since the list was made. This statement sees that: a lock is given free
        -- only when the commit is to be seen.
        IF NOT EXISTS (SELECT FROM jobs WHERE tenant = of_tenant AND user_id = of_user AND active_slot = candidate
                                          AND status IN ('PENDING', 'PROCESSING')) THEN
            RETURN candidate;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
