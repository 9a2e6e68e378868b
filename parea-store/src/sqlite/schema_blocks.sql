-- Values of many logs, compressed together. `id` is that of the last log in it times 256, and a number that tells
-- blocks with the same last log apart: newest first when read backwards. `first` is the least id in it.
CREATE TABLE block (
    id INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,
    data BLOB NOT NULL
);
-- The block that holds a log's value; null while `doc` alone does.
ALTER TABLE log ADD COLUMN block INTEGER;
-- From now on `doc` holds values that came singly and are not packed yet, and those that changed since they were
-- packed, which count before the block's. `block` is null for the former, and -1 for what is too long to be packed.
ALTER TABLE doc ADD COLUMN block INTEGER;
CREATE INDEX doc_fresh ON doc (id) WHERE block IS NULL;
CREATE INDEX doc_changed ON doc (block, id) WHERE block > 0;

-- Words as they first came, with spaces around each, for the search for parts of words. A word may stand in several
-- rows.
CREATE TABLE spelling (
    id INTEGER PRIMARY KEY,
    words TEXT NOT NULL
);
