-- Logs that were erased, by hashes of their ids and of those of their roots (16 bytes of SHA-256), so that no copy that a
-- client still has brings them back. The ids themselves are not kept: they may say something too.
CREATE TABLE tombstone (
    id BLOB NOT NULL,
    project INTEGER NOT NULL,
    PRIMARY KEY (id, project)
) WITHOUT ROWID;
