-- By which plan the billing system bills a tenant, and from when on, as it told: one row for each of its subscriptions. What
-- a job costs is said by the plan that bills its usage, which is not always the one that the tenant has now.
CREATE TABLE billing_plans (
    tenant   text NOT NULL REFERENCES tenants (id),
    -- First moment whose usage it bills.
    since    timestamptz NOT NULL,
    plan     text NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, since)
);
