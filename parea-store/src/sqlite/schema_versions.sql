-- Versions of datasets: each change makes one. Columns are a JSON array, the digest is of columns and rows.
CREATE TABLE dataset_version (
    dataset INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created INTEGER NOT NULL,
    columns TEXT NOT NULL,
    rows INTEGER NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (dataset, version)
) WITHOUT ROWID;
-- The version that a row came with, or changed with.
ALTER TABLE test_case ADD COLUMN since INTEGER NOT NULL DEFAULT 1;
-- Rows as they were from version `since` to that before `until`.
CREATE TABLE test_case_past (
    dataset INTEGER NOT NULL,
    id INTEGER NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    inputs TEXT NOT NULL,
    target TEXT,
    tags TEXT NOT NULL,
    PRIMARY KEY (dataset, id, since)
) WITHOUT ROWID;
