-- How often a job's URL was asked for its inputs, counted before each try: a server that never answers is not asked
-- for ever.
CREATE TABLE input_fetches (
    job_id      uuid PRIMARY KEY REFERENCES jobs (id),
    tries       integer NOT NULL CHECK (tries > 0),
    last_at     timestamptz NOT NULL DEFAULT now()
);
