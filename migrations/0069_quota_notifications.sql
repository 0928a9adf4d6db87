-- What a tenant is told of its month: that it has reached 80 % or all of a package or a ceiling, each once.
CREATE TABLE notifications (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Readers who follow order by (xid, id) and stop at pg_snapshot_xmin, as those of job_events do.
    xid         xid8 NOT NULL DEFAULT pg_current_xact_id(),
    tenant      text NOT NULL REFERENCES tenants (id),
    kind        text NOT NULL CHECK (kind IN ('quota.reached')),
    month       date NOT NULL,
    metric      text NOT NULL,
    quota       text NOT NULL CHECK (quota IN ('package', 'ceiling')),
    percent     integer NOT NULL CHECK (percent IN (80, 100)),
    -- Units of the quota, and what was used and reserved when the line was crossed.
    quota_units bigint NOT NULL,
    held_units  bigint NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant, month, metric, quota, percent)
);
CREATE INDEX notifications_by_tenant ON notifications (tenant, id DESC);
CREATE INDEX notifications_by_order ON notifications (xid, id);
