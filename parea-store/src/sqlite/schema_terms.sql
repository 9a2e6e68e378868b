-- What logs can be looked up by: one row for each value that some field or key has had. `key` is empty for fields, and
-- the name for scores. `value` is text or a number, as the log has it.
CREATE TABLE word (
    field INTEGER NOT NULL,
    key TEXT NOT NULL,
    value NOT NULL,
    project INTEGER NOT NULL,
    id INTEGER NOT NULL,
    PRIMARY KEY (field, key, value, project)
) WITHOUT ROWID;
-- Ids of words grow with this.
ALTER TABLE history ADD COLUMN words INTEGER NOT NULL DEFAULT 0;

-- The logs of a word, newest first when read backwards.
CREATE TABLE term (
    word INTEGER NOT NULL,
    started INTEGER NOT NULL,
    log INTEGER NOT NULL,
    PRIMARY KEY (word, started, log)
) WITHOUT ROWID;

-- The logs' own scores, by time and by value.
CREATE TABLE score (
    word INTEGER NOT NULL,
    started INTEGER NOT NULL,
    log INTEGER NOT NULL,
    score REAL NOT NULL,
    PRIMARY KEY (word, started, log, score)
) WITHOUT ROWID;
CREATE INDEX score_by_value ON score (word, score);
