-- Logs that were erased, by their ids and those of their roots, so that no copy that a client still has brings them
-- back.
CREATE TABLE erased (
    id NOT NULL,
    project INTEGER NOT NULL,
    PRIMARY KEY (id, project)
) WITHOUT ROWID;
