-- An attempt knows itself again: one whose answer was lost between database and worker is not begun twice. And it tells
-- how long it has computed, so that a job's time does not begin anew with each attempt.
ALTER TABLE fhe_attempts
    ADD COLUMN token uuid,
    ADD COLUMN computed_ms bigint NOT NULL DEFAULT 0 CHECK (computed_ms >= 0);
CREATE UNIQUE INDEX fhe_attempts_by_token ON fhe_attempts (job_id, token);

-- What stopped the computation of a job that was neither its own fault nor a death of the child nor an outage: counted,
-- so that it is not tried for ever.
CREATE TABLE fhe_errors (
    job_id      uuid PRIMARY KEY,
    errors      integer NOT NULL CHECK (errors > 0),
    last_error  text NOT NULL,
    last_at     timestamptz NOT NULL DEFAULT now()
);
