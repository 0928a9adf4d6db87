-- Units that a tenant may use in a month (UTC): used plus reserved, by the month of a job's admission. A row for each of
-- sixteen shards, so that admissions of a tenant do not wait for each other: each takes from the room of one of
-- them. The shards' rooms together never are more than the ceiling.
CREATE TABLE unit_shards (
    tenant      text NOT NULL REFERENCES tenants (id),
    month       date NOT NULL,
    shard       integer NOT NULL,
    -- What was taken here, and what may be taken yet.
    held        bigint NOT NULL,
    room        bigint NOT NULL CHECK (room >= 0),
    fhe_held    bigint NOT NULL,
    fhe_room    bigint NOT NULL CHECK (fhe_room >= 0),
    -- The ceilings that the rooms were cut from: where they changed, the rooms are cut anew.
    ceiling     bigint NOT NULL,
    fhe_ceiling bigint NOT NULL,
    PRIMARY KEY (tenant, month, shard)
);

-- Where a reservation was taken; null where the tenant has no quota.
ALTER TABLE job_reservations ADD COLUMN quota_month date;

-- What ended jobs did not use of their reservations: noted without waiting for anybody, and put back into the rooms when
-- these are cut anew.
CREATE TABLE unit_returns (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant      text NOT NULL,
    month       date NOT NULL,
    units       bigint NOT NULL CHECK (units >= 0),
    fhe_units   bigint NOT NULL CHECK (fhe_units >= 0)
);
CREATE INDEX unit_returns_by_month ON unit_returns (tenant, month);

-- A job's reservation is settled by the transaction that ends the job, whichever it is; its usage is written by then.
CREATE FUNCTION return_units() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    used bigint := coalesce((SELECT sum(units) FROM usage_ledger
                              WHERE job_id = OLD.job_id AND metric = 'compute_units'), 0);
    fhe_used bigint := coalesce((SELECT sum(units) FROM usage_ledger
                                  WHERE job_id = OLD.job_id AND metric = 'fhe_compute_units'), 0);
BEGIN
    IF used < OLD.units OR fhe_used < OLD.fhe_units THEN
        INSERT INTO unit_returns (tenant, month, units, fhe_units)
        VALUES (OLD.tenant, OLD.quota_month, greatest(OLD.units - used, 0), greatest(OLD.fhe_units - fhe_used, 0));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER job_reservations_settled AFTER DELETE ON job_reservations
    FOR EACH ROW WHEN (OLD.quota_month IS NOT NULL) EXECUTE FUNCTION return_units();

-- What a tenant holds of a month: taken, less what came back.
CREATE FUNCTION held_units(of_tenant text, of_month date, OUT held bigint, OUT fhe_held bigint)
LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT sum(s.held) FROM unit_shards s WHERE s.tenant = of_tenant AND s.month = of_month), 0)
           - coalesce((SELECT sum(r.units) FROM unit_returns r WHERE r.tenant = of_tenant AND r.month = of_month), 0),
           coalesce((SELECT sum(s.fhe_held) FROM unit_shards s WHERE s.tenant = of_tenant AND s.month = of_month), 0)
           - coalesce((SELECT sum(r.fhe_units) FROM unit_returns r WHERE r.tenant = of_tenant AND r.month = of_month), 0)
$$;

-- What the tenant's jobs of a month used and reserve that were admitted while it had no quota.
CREATE FUNCTION unheld_units(of_tenant text, of_month date, OUT units bigint, OUT fhe_units bigint)
LANGUAGE sql STABLE AS $$
    WITH begin AS (SELECT of_month::timestamp AT TIME ZONE 'UTC' AS at),
         used AS (SELECT sum(u.units) FILTER (WHERE u.metric = 'compute_units') AS units,
                         sum(u.units) FILTER (WHERE u.metric = 'fhe_compute_units') AS fhe_units
                    FROM usage_ledger u JOIN jobs j ON j.id = u.job_id
                   WHERE u.tenant = of_tenant AND u.occurred_at >= (SELECT at FROM begin)
                     AND j.created_at >= (SELECT at FROM begin)),
         reserved AS (SELECT sum(r.units) AS units, sum(r.fhe_units) AS fhe_units
                        FROM job_reservations r JOIN jobs j ON j.id = r.job_id
                       WHERE r.tenant = of_tenant AND r.quota_month IS NULL AND j.status IN ('PENDING', 'PROCESSING')
                         AND j.created_at >= (SELECT at FROM begin))
    SELECT coalesce(used.units, 0)::bigint + coalesce(reserved.units, 0)::bigint,
           coalesce(used.fhe_units, 0)::bigint + coalesce(reserved.fhe_units, 0)::bigint
      FROM used, reserved
$$;

-- Takes units under the ceilings. `taken` says whether; `held` and `fhe_held` are what the tenant holds then, without the
-- admissions that are under way at this moment.
CREATE FUNCTION take_units(of_tenant text, of_month date, wanted bigint, fhe_wanted bigint,
                           up_to bigint, fhe_up_to bigint,
                           OUT taken boolean, OUT held bigint, OUT fhe_held bigint)
LANGUAGE plpgsql AS $$
DECLARE
    shards CONSTANT integer := 16;
    rest bigint;
    fhe_rest bigint;
BEGIN
    -- Far from the ceiling: a shard with room, whichever it is. One that has none any more when it is its turn stays locked,
    -- so that this is rolled back: who waits below must hold none.
    BEGIN
        UPDATE unit_shards u
           SET held = u.held + wanted, room = u.room - wanted,
               fhe_held = u.fhe_held + fhe_wanted, fhe_room = u.fhe_room - fhe_wanted
         WHERE u.tenant = of_tenant AND u.month = of_month
           AND u.shard = (SELECT s.shard FROM unit_shards s
                           WHERE s.tenant = of_tenant AND s.month = of_month
                             AND s.ceiling = up_to AND s.fhe_ceiling = fhe_up_to
                             AND s.room >= wanted AND s.fhe_room >= fhe_wanted
                           ORDER BY random() LIMIT 1)
           AND u.ceiling = up_to AND u.fhe_ceiling = fhe_up_to AND u.room >= wanted AND u.fhe_room >= fhe_wanted;
        taken := FOUND;
        IF NOT taken THEN
            RAISE EXCEPTION 'no room' USING ERRCODE = 'ZJ001';
        END IF;
    EXCEPTION WHEN SQLSTATE 'ZJ001' THEN
        taken := false;
    END;
    SELECT h.held, h.fhe_held INTO held, fhe_held FROM held_units(of_tenant, of_month) h;
    -- What does not fit even without the admissions under way is refused, and waits for nobody.
    IF taken OR held + wanted > up_to OR fhe_held + fhe_wanted > fhe_up_to THEN
        RETURN;
    END IF;

    -- Near it, in a new month or under a new ceiling: one after the other.
    PERFORM pg_advisory_xact_lock(hashtextextended(format('unit_shards/%s/%s', of_tenant, of_month), 0));
    INSERT INTO unit_shards (tenant, month, shard, held, room, fhe_held, fhe_room, ceiling, fhe_ceiling)
    SELECT of_tenant, of_month, 0, u.units, 0, u.fhe_units, 0, up_to, fhe_up_to FROM unheld_units(of_tenant, of_month) u
     WHERE NOT EXISTS (SELECT FROM unit_shards s WHERE s.tenant = of_tenant AND s.month = of_month)
    UNION ALL
    SELECT of_tenant, of_month, shard, 0, 0, 0, 0, up_to, fhe_up_to FROM generate_series(1, shards - 1) AS shard
     WHERE NOT EXISTS (SELECT FROM unit_shards s WHERE s.tenant = of_tenant AND s.month = of_month);
    -- Waits for those that take at this moment, and keeps others from it.
    PERFORM FROM unit_shards s WHERE s.tenant = of_tenant AND s.month = of_month ORDER BY s.shard FOR UPDATE;
    SELECT h.held, h.fhe_held INTO held, fhe_held FROM held_units(of_tenant, of_month) h;
    taken := held + wanted <= up_to AND fhe_held + fhe_wanted <= fhe_up_to;
    IF NOT taken THEN
        RETURN;
    END IF;
    held := held + wanted;
    fhe_held := fhe_held + fhe_wanted;
    rest := up_to - held;
    fhe_rest := fhe_up_to - fhe_held;
    DELETE FROM unit_returns r WHERE r.tenant = of_tenant AND r.month = of_month;
    UPDATE unit_shards s
       SET held = CASE WHEN s.shard = 0 THEN take_units.held ELSE 0 END,
           room = rest / shards + CASE WHEN s.shard < rest % shards THEN 1 ELSE 0 END,
           fhe_held = CASE WHEN s.shard = 0 THEN take_units.fhe_held ELSE 0 END,
           fhe_room = fhe_rest / shards + CASE WHEN s.shard < fhe_rest % shards THEN 1 ELSE 0 END,
           ceiling = up_to, fhe_ceiling = fhe_up_to
     WHERE s.tenant = of_tenant AND s.month = of_month;
END $$;
