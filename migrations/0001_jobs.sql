-- Tenants, users, jobs and what belongs to a job.

CREATE TABLE tenants (
    id          text PRIMARY KEY CHECK (id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    plan        text NOT NULL DEFAULT 'default',
    created_at  timestamptz NOT NULL DEFAULT now(),
    -- When the tenant's customer and subscription were confirmed in the billing system.
    billing_ready_at timestamptz
);

CREATE TABLE users (
    tenant      text NOT NULL REFERENCES tenants (id),
    id          text NOT NULL CHECK (id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    role        text NOT NULL CHECK (role IN ('developer', 'team_lead', 'admin')),
    -- EVM address that the user's jobs belong to.
    submitter   bytea NOT NULL CHECK (octet_length(submitter) = 20),
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id)
);

CREATE TABLE jobs (
    id              uuid PRIMARY KEY,
    tenant          text NOT NULL REFERENCES tenants (id),
    user_id         text NOT NULL,
    submitter       bytea NOT NULL CHECK (octet_length(submitter) = 20),
    job_type        text NOT NULL CHECK (job_type IN ('compute', 'fhe_compute')),
    algorithm       text NOT NULL,
    -- RFC 8785 form of the payload.
    payload         text NOT NULL,
    content_hash    bytea NOT NULL CHECK (octet_length(content_hash) = 32),
    priority        smallint NOT NULL CHECK (priority IN (1, 2, 3)),
    deadline        timestamptz,
    timeout_seconds integer NOT NULL,
    test_mode       boolean NOT NULL DEFAULT false,
    request_id      text NOT NULL,

    status          text NOT NULL DEFAULT 'PENDING'
                    CHECK (status IN ('PENDING', 'PROCESSING', 'CONFIRMING', 'COMPLETED', 'FAILED', 'CANCELLED')),
    -- Changes with every visible change of the row; the ETag.
    version         bigint NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    started_at      timestamptz,
    completed_at    timestamptz,
    estimated_completion timestamptz NOT NULL,
    cancel_requested_at timestamptz,

    progress_percent real NOT NULL DEFAULT 0 CHECK (progress_percent BETWEEN 0 AND 100),
    progress_stage  text NOT NULL DEFAULT '',
    progress_detail text NOT NULL DEFAULT '',

    result_hash     bytea CHECK (octet_length(result_hash) = 32),
    result_media_type text,
    result_bytes    bytea,
    error_code      text,
    error_detail    text,

    -- UNIQUE for ever: a workflow id names one job.
    workflow_id     text NOT NULL UNIQUE,
    -- Workflow that runs the job now: the first one, or a restart of it.
    current_workflow_id text NOT NULL UNIQUE,
    workflow_run_id text,
    workflow_restarts smallint NOT NULL DEFAULT 0,

    CHECK ((status = 'FAILED') = (error_code IS NOT NULL)),
    CHECK (status NOT IN ('CONFIRMING', 'COMPLETED') OR result_hash IS NOT NULL),
    CHECK ((status IN ('COMPLETED', 'FAILED', 'CANCELLED')) = (completed_at IS NOT NULL))
);

-- Lists: newest first within a tenant, with or without a state.
CREATE INDEX jobs_by_tenant ON jobs (tenant, id DESC);
CREATE INDEX jobs_by_tenant_status ON jobs (tenant, status, id DESC);
-- The sweeps look at open jobs only; finished ones cost them nothing.
CREATE INDEX jobs_open ON jobs (id) WHERE status IN ('PENDING', 'PROCESSING', 'CONFIRMING');
CREATE INDEX jobs_to_cancel ON jobs (cancel_requested_at)
    WHERE cancel_requested_at IS NOT NULL AND status IN ('PENDING', 'PROCESSING');

-- Outbox of workflow starts: a row lives from admission to the confirmed start.
CREATE TABLE job_starts (
    job_id      uuid PRIMARY KEY REFERENCES jobs (id),
    tenant      text NOT NULL,
    priority    smallint NOT NULL,
    workflow_id text NOT NULL,
    claimed_until timestamptz NOT NULL DEFAULT '-infinity',
    attempts    integer NOT NULL DEFAULT 0
);
CREATE INDEX job_starts_by_tenant ON job_starts (tenant, priority DESC, job_id);

-- Units set aside for a job until it is terminal; the quota counts used plus reserved.
CREATE TABLE job_reservations (
    job_id      uuid PRIMARY KEY REFERENCES jobs (id),
    tenant      text NOT NULL,
    units       bigint NOT NULL CHECK (units >= 0)
);
CREATE INDEX job_reservations_by_tenant ON job_reservations (tenant);

CREATE TABLE idempotency_keys (
    tenant      text NOT NULL,
    key         text NOT NULL,
    content_hash bytea NOT NULL,
    job_id      uuid NOT NULL REFERENCES jobs (id),
    -- The 202's body, sent again as it was.
    response    text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, key)
);

-- Everything that happened to a job. Readers order by (xid, id) and stop at pg_snapshot_xmin, so that a transaction
-- that commits late is never skipped.
CREATE TABLE job_events (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid         xid8 NOT NULL DEFAULT pg_current_xact_id(),
    job_id      uuid NOT NULL REFERENCES jobs (id),
    tenant      text NOT NULL,
    event_type  text NOT NULL CHECK (event_type IN ('job.status', 'job.progress', 'job.reanchored')),
    data        jsonb NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX job_events_by_job ON job_events (job_id, xid, id);
CREATE INDEX job_events_by_order ON job_events (xid, id);
