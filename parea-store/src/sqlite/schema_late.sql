-- What was said of logs after they came into a block, so that a score costs no look at it: the cells, as JSON with their
-- stamps. A log has a row here or in `doc`, not in both.
CREATE TABLE late (
    log INTEGER PRIMARY KEY,
    block INTEGER NOT NULL,
    said TEXT NOT NULL
);
CREATE INDEX late_by_block ON late (block);
-- 1 where the value in the block has no stamps of its own; null where it may have some.
ALTER TABLE log ADD COLUMN plain INTEGER;
