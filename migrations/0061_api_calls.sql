-- Calls of the API by tenant and hour (UTC), as each process of the API counted them: `calls` is what it has counted in
-- all, so that telling it twice changes nothing. `booked` of them stand in the ledger.
CREATE TABLE api_call_counts (
    hour        timestamptz NOT NULL,
    tenant      text NOT NULL,
    -- The process, by a name that it gives itself when it starts.
    node        uuid NOT NULL,
    calls       bigint NOT NULL CHECK (calls >= 0),
    booked      bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (hour, tenant, node),
    CHECK (booked BETWEEN 0 AND calls)
);
CREATE INDEX api_call_counts_due ON api_call_counts (hour) WHERE calls > booked;
