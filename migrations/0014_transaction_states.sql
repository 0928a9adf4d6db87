-- What became of each transaction that we signed: one table of moves, which the database enforces.
-- Expand: code from before writes rows without the new columns, and they count as sent.
ALTER TABLE chain_transactions
    ADD COLUMN state text NOT NULL DEFAULT 'SENT' CHECK (state IN
        ('SIGNED', 'SENT', 'MINED', 'CONFIRMED', 'FINALIZED', 'REVERTED', 'REPLACED', 'ABANDONED')),
    -- A filler confirms nothing: it uses up a nonce that stands before its batch's.
    ADD COLUMN purpose text NOT NULL DEFAULT 'BATCH' CHECK (purpose IN ('BATCH', 'FILLER')),
    -- When a node took the bytes last.
    ADD COLUMN sent_at timestamptz,
    -- Where it was mined, as long as it is.
    ADD COLUMN block_number bigint,
    ADD COLUMN block_hash bytea,
    -- Newest block when a stranger's transaction was first seen to have used the nonce.
    ADD COLUMN overtaken_block bigint,
    -- Why it was abandoned.
    ADD COLUMN reason text;

-- Those of batches that are on chain: the one that carried it, and those that did not.
UPDATE chain_transactions t
   SET state = CASE WHEN t.tx_hash = b.tx_hash THEN b.status ELSE 'REPLACED' END,
       block_number = CASE WHEN t.tx_hash = b.tx_hash THEN b.block_number END,
       block_hash = CASE WHEN t.tx_hash = b.tx_hash THEN b.block_hash END
  FROM batches b WHERE b.id = t.batch_id AND b.status IN ('CONFIRMED', 'FINALIZED');
-- Of batches on their way only the newest may land; another nonce was used by somebody else.
UPDATE chain_transactions t SET state = 'ABANDONED', reason = 'signed anew under another nonce'
  FROM batches b WHERE b.id = t.batch_id AND b.status IN ('SEALED', 'SENT')
   AND EXISTS (SELECT 1 FROM chain_transactions newer
                WHERE newer.batch_id = t.batch_id AND newer.created_at > t.created_at AND newer.nonce <> t.nonce);

CREATE TABLE chain_transaction_moves (
    left_state    text NOT NULL,
    entered_state text NOT NULL,
    PRIMARY KEY (left_state, entered_state)
);
INSERT INTO chain_transaction_moves (left_state, entered_state) VALUES
    ('SIGNED', 'SENT'), ('SIGNED', 'MINED'), ('SIGNED', 'REVERTED'), ('SIGNED', 'REPLACED'), ('SIGNED', 'ABANDONED'),
    ('SENT', 'MINED'), ('SENT', 'REVERTED'), ('SENT', 'REPLACED'), ('SENT', 'ABANDONED'),
    ('MINED', 'CONFIRMED'), ('MINED', 'SENT'),
    ('CONFIRMED', 'FINALIZED'), ('CONFIRMED', 'SENT'),
    ('FINALIZED', 'SENT'),
    ('REVERTED', 'SENT'), ('REVERTED', 'ABANDONED'),
    ('REPLACED', 'SENT'), ('REPLACED', 'MINED'), ('REPLACED', 'REVERTED'), ('REPLACED', 'ABANDONED'),
    ('ABANDONED', 'SENT'), ('ABANDONED', 'MINED'), ('ABANDONED', 'REVERTED');

CREATE FUNCTION chain_transaction_may_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM chain_transaction_moves
                    WHERE left_state = OLD.state AND entered_state = NEW.state) THEN
        RAISE EXCEPTION 'transaction % may not go from % to %', encode(OLD.tx_hash, 'hex'), OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER chain_transaction_moves BEFORE UPDATE OF state ON chain_transactions
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION chain_transaction_may_move();

-- Transactions that a block may still take, or take back.
CREATE INDEX chain_transactions_live ON chain_transactions (sender, nonce)
    WHERE state IN ('SIGNED', 'SENT', 'MINED', 'REVERTED');
CREATE INDEX chain_transactions_by_nonce ON chain_transactions (sender, nonce);
