-- Whose datasets are: null for those that all projects share.
ALTER TABLE dataset ADD COLUMN project INTEGER;
-- Updates that are for the log of one project only; 0 for any.
CREATE TABLE waiting (
    id INTEGER PRIMARY KEY,
    project INTEGER NOT NULL DEFAULT 0,
    trace_id TEXT NOT NULL,
    received INTEGER NOT NULL,
    stamps TEXT NOT NULL,
    fields TEXT NOT NULL,
    UNIQUE (trace_id, project)
);
INSERT INTO waiting (id, trace_id, received, stamps, fields) SELECT id, trace_id, received, stamps, fields FROM pending;
DROP TABLE pending;
ALTER TABLE waiting RENAME TO pending;
