-- The check of 0080: the ledger is read once, while everybody else reads and writes it.
ALTER TABLE usage_ledger VALIDATE CONSTRAINT usage_ledger_delivered_check;
