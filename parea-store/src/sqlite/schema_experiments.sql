-- Runs of experiments. A placeholder stands for a uuid that a log named first. `named` is 1 once a log named it; status
-- and pinned figures (JSON) are null until the run is finished. Metadata is JSON.
CREATE TABLE experiment (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    project INTEGER NOT NULL,
    name TEXT NOT NULL,
    run_name TEXT NOT NULL,
    is_public INTEGER NOT NULL,
    metadata TEXT,
    created INTEGER NOT NULL,
    placeholder INTEGER NOT NULL,
    named INTEGER NOT NULL,
    status TEXT,
    pinned TEXT
);
-- A run's name is unique among those of its experiment.
CREATE UNIQUE INDEX experiment_by_run ON experiment (project, name, run_name) WHERE placeholder = 0;
-- Runs that logs of older files name.
INSERT INTO experiment (uuid, project, name, run_name, is_public, created, placeholder, named)
    SELECT experiment, project, experiment, experiment, 0, min(started), 1, 1
    FROM log WHERE experiment IS NOT NULL GROUP BY experiment;
-- The roots of a run, oldest first.
CREATE INDEX log_of_experiment ON log (experiment, started, trace_id)
    WHERE experiment IS NOT NULL AND parent = trace_id AND root = trace_id;
