-- What the billing system has was not refused: a row is delivered or a dead letter. Code from before this could note the
-- delivery of a row that somebody had buried meanwhile; it fails now and sends its rows again, without that one.
ALTER TABLE usage_ledger
    ADD CONSTRAINT usage_ledger_delivered_check
        CHECK (delivered_at IS NULL OR dead_reason IS NULL OR voided) NOT VALID;
