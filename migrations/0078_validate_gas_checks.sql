-- The checks of 0070: each table is read once, while everybody else reads and writes it.

ALTER TABLE batches
    VALIDATE CONSTRAINT batches_gas_tx_hash_check,
    VALIDATE CONSTRAINT batches_gas_used_check,
    VALIDATE CONSTRAINT batches_effective_gas_price_check,
    VALIDATE CONSTRAINT batches_gas_check;

ALTER TABLE usage_ledger
    VALIDATE CONSTRAINT usage_ledger_gas_tx_hash_check,
    VALIDATE CONSTRAINT usage_ledger_gas_check;
