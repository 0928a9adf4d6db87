-- What a job would cost at most, promised to a tenant for a body and for a while.
CREATE TABLE job_quotes (
    id           uuid PRIMARY KEY,
    tenant       text NOT NULL REFERENCES tenants (id),
    -- Who asked for it; any user of the tenant may use it.
    user_id      text NOT NULL,
    -- SHA-256 of the RFC 8785 form of the quoted body.
    content_hash bytea NOT NULL CHECK (octet_length(content_hash) = 32),
    -- The ceiling: compute units and FHE units.
    units        bigint NOT NULL CHECK (units >= 0),
    fhe_units    bigint NOT NULL CHECK (fhe_units >= 0),
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    -- The job that used it, once: noted by the transaction that admits the job.
    job_id       uuid UNIQUE REFERENCES jobs (id)
);
-- Those that nobody used: they are removed some time after their end.
CREATE INDEX job_quotes_unused ON job_quotes (expires_at) WHERE job_id IS NULL;

-- A quote is used for good.
CREATE FUNCTION job_quotes_are_used_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'quote % was used by job %', OLD.id, OLD.job_id USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER job_quotes_used BEFORE UPDATE OR DELETE ON job_quotes
    FOR EACH ROW WHEN (OLD.job_id IS NOT NULL) EXECUTE FUNCTION job_quotes_are_used_once();
