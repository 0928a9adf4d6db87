-- The usage ledger: written with the change that causes it, and the outbox of the billing system.

CREATE TABLE usage_ledger (
    -- {job}:{metric}:{segment}; the billing system's transaction id.
    id          text PRIMARY KEY,
    tenant      text NOT NULL,
    job_id      uuid REFERENCES jobs (id),
    metric      text NOT NULL,
    segment     text NOT NULL,
    units       bigint NOT NULL CHECK (units >= 0),
    occurred_at timestamptz NOT NULL DEFAULT now(),
    -- Timestamp under which the row is billed: set before the first send, then frozen.
    billed_at   timestamptz,
    delivered_at timestamptz,
    -- Why the billing system will never take the row.
    dead_reason text,
    UNIQUE (job_id, metric, segment)
);
CREATE INDEX usage_due ON usage_ledger (occurred_at) WHERE delivered_at IS NULL AND dead_reason IS NULL;
CREATE INDEX usage_by_tenant ON usage_ledger (tenant, occurred_at);
