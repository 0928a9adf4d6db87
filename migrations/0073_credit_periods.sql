-- Periods that are over and not invoiced yet, each priced by the ledger; undelivered rows that are added up once a turn of the
-- reporter and not by each admission; and the index by which a tenant's open top-ups are counted.

ALTER TABLE credit_accounts
    -- [{"from", "until", "plan", "cents", "beside_list_cents"}]: `owed_cents` is their sum, `owed_from` the first one's begin.
    ADD COLUMN owed jsonb NOT NULL DEFAULT '[]',
    -- Units by metric of the rows that were not told and had occurred before `gathered_until`.
    ADD COLUMN gathered jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN gathered_until timestamptz NOT NULL DEFAULT '-infinity';

-- What the billing system had not told of a tenant as of its last answer, of rows that had occurred before a moment: by
-- metric, as the ledger counts.
CREATE FUNCTION untold_units(of_tenant text, told_at timestamptz, rows_since timestamptz, occurred_until timestamptz)
RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT coalesce(jsonb_object_agg(sums.metric, sums.units), '{}'::jsonb)
      FROM (SELECT open.metric, sum(open.units)::bigint AS units
              FROM (SELECT u.metric, u.units FROM usage_ledger u
                     WHERE u.tenant = of_tenant AND u.delivered_at IS NULL AND u.dead_reason IS NULL
                       AND u.occurred_at < occurred_until
                    UNION ALL
                    SELECT u.metric, u.units FROM usage_ledger u
                     WHERE u.tenant = of_tenant AND u.billed_at >= rows_since AND u.delivered_at >= told_at
                       AND u.dead_reason IS NULL AND u.occurred_at < occurred_until) AS open
             GROUP BY open.metric) AS sums
$$;

UPDATE credit_accounts
   SET gathered = untold_units(tenant, as_of, rows_from, now() - interval '1 minute'),
       gathered_until = now() - interval '1 minute',
       owed = CASE WHEN owed_cents > 0 AND owed_from IS NOT NULL
                   THEN jsonb_build_array(jsonb_build_object(
                            'from', owed_from, 'until', period_from, 'plan', plan, 'cents', owed_cents,
                            'beside_list_cents', 0))
                   ELSE '[]'::jsonb END;

CREATE INDEX credit_top_ups_open_by_tenant ON credit_top_ups (tenant) WHERE state IN ('requested', 'sent');
