-- Names that logs refer to. A placeholder stands for a uuid that came without a name.
CREATE TABLE project (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    placeholder INTEGER NOT NULL,
    created INTEGER NOT NULL
);

-- How many patches were taken so far: the order of arrival, and the token of a commit. One row.
CREATE TABLE history (arrivals INTEGER NOT NULL);
INSERT INTO history VALUES (0);

-- What of a log is looked for, listed or summed. Rows are narrow, so that counting reads little.
-- `id` is the arrival of the log's first word. Parent and root are the resolved ones; `root_said` is 0 where the root
-- follows from the parent. Status: 1 success, 2 error. Times in microseconds.
-- `sample_rate` is null where it keeps everything.
CREATE TABLE log (
    id INTEGER PRIMARY KEY,
    project INTEGER NOT NULL,
    trace_id TEXT NOT NULL,
    parent TEXT NOT NULL,
    root TEXT NOT NULL,
    root_said INTEGER NOT NULL,
    started INTEGER NOT NULL,
    execution_order INTEGER NOT NULL,
    status INTEGER,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    total_tokens INTEGER NOT NULL,
    cost REAL,
    scores TEXT,
    experiment TEXT,
    sample_rate REAL
);
-- A log by its id, with or without its project.
CREATE UNIQUE INDEX log_by_id ON log (trace_id, project);
-- The children of a log. Roots are not their own children and stay out.
CREATE INDEX log_by_parent ON log (project, parent) WHERE parent <> trace_id;
-- All logs of a trace.
CREATE INDEX log_by_root ON log (project, root);
-- Children whose root is to be mended when their parent's is known. Hardly any: the SDKs name roots.
CREATE INDEX log_rootless ON log (project, parent) WHERE root_said = 0;
-- The scores of a trace.
CREATE INDEX log_scored ON log (project, root) WHERE scores IS NOT NULL;
-- The lowest rate of a trace that is sampled.
CREATE INDEX log_sampled ON log (project, root, sample_rate) WHERE sample_rate IS NOT NULL;
-- Logs newest first, in one project or in all, by status too without a look at the row.
CREATE INDEX log_newest ON log (project, started, trace_id, status);
CREATE INDEX log_newest_of_all ON log (started, trace_id, status);
-- Failed logs, which are few, likewise.
CREATE INDEX log_failed ON log (project, started, trace_id) WHERE status = 2;
CREATE INDEX log_failed_of_all ON log (started, trace_id) WHERE status = 2;

-- The merged log as JSON, and the stamps of its cells (null when it was sent once).
CREATE TABLE doc (
    id INTEGER PRIMARY KEY,
    stamps TEXT,
    json TEXT NOT NULL
);

-- One row for each trace: the sums of its logs, and what a list shows of its root.
CREATE TABLE trace (
    id INTEGER PRIMARY KEY,
    project INTEGER NOT NULL,
    root TEXT NOT NULL,
    started INTEGER NOT NULL,
    spans INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    total_tokens INTEGER NOT NULL,
    cost REAL,
    has_root INTEGER NOT NULL,
    status INTEGER,
    latency REAL,
    name TEXT,
    session_id TEXT,
    end_user_identifier TEXT,
    tags TEXT,
    inputs_preview TEXT,
    output_preview TEXT
);
-- A trace by its root, with or without its project.
CREATE UNIQUE INDEX trace_by_root ON trace (root, project);
-- Traces newest first and failed ones, as for logs.
CREATE INDEX trace_newest ON trace (project, started, root, status);
CREATE INDEX trace_newest_of_all ON trace (started, root, status);
CREATE INDEX trace_failed ON trace (project, started, root) WHERE status = 2;
CREATE INDEX trace_failed_of_all ON trace (started, root) WHERE status = 2;

-- Traces that sampling left out, so that what comes of them later is left out too. `id` grows with arrival.
CREATE TABLE unsampled (
    id INTEGER PRIMARY KEY,
    project INTEGER NOT NULL,
    root TEXT NOT NULL
);
CREATE UNIQUE INDEX unsampled_by_root ON unsampled (root, project);

-- Updates of logs that are still to come, merged. `id` grows with arrival.
CREATE TABLE pending (
    id INTEGER PRIMARY KEY,
    trace_id TEXT NOT NULL UNIQUE,
    received INTEGER NOT NULL,
    stamps TEXT NOT NULL,
    fields TEXT NOT NULL
);

-- Logs that clients had to drop.
CREATE TABLE loss (
    project INTEGER NOT NULL,
    reason TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (project, reason)
) WITHOUT ROWID;
