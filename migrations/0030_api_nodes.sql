-- Processes of the API that serve now: each lets through its share of a tenant's requests. A row that nobody renews
-- counts no longer after some seconds, and is deleted after a minute.
CREATE TABLE api_nodes (
    id          uuid PRIMARY KEY,
    seen_at     timestamptz NOT NULL DEFAULT now()
);
