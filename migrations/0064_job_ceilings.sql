-- Units beyond which a job is not computed and not billed: those of its quote. Both are null for a job without one.
-- NOT VALID: older rows have neither, and need not be read for it.
ALTER TABLE jobs
    ADD COLUMN unit_ceiling bigint,
    ADD COLUMN fhe_unit_ceiling bigint,
    ADD CONSTRAINT jobs_ceilings_check CHECK (
        (unit_ceiling IS NULL) = (fhe_unit_ceiling IS NULL) AND unit_ceiling >= 0 AND fhe_unit_ceiling >= 0
    ) NOT VALID;
