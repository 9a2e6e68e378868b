-- Ids that are UUIDs in their usual spelling become their 16 bytes, in the columns trace_id, parent and root of `log`,
-- and root of `trace`. `key_of` is ours. Indexes are made anew, in order, which is quicker than to change each of their
-- rows.
DROP INDEX log_by_id;
DROP INDEX log_by_parent;
DROP INDEX log_by_root;
DROP INDEX log_rootless;
DROP INDEX log_scored;
DROP INDEX log_sampled;
DROP INDEX log_newest;
DROP INDEX log_newest_of_all;
DROP INDEX log_failed;
DROP INDEX log_failed_of_all;
DROP INDEX log_of_experiment;
DROP INDEX trace_by_root;
DROP INDEX trace_newest;
DROP INDEX trace_newest_of_all;
DROP INDEX trace_failed;
DROP INDEX trace_failed_of_all;
UPDATE log SET trace_id = key_of(trace_id), parent = key_of(parent), root = key_of(root);
UPDATE trace SET root = key_of(root);
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
-- The roots of a run, oldest first.
CREATE INDEX log_of_experiment ON log (experiment, started, trace_id)
    WHERE experiment IS NOT NULL AND parent = trace_id AND root = trace_id;
-- A trace by its root, with or without its project.
CREATE UNIQUE INDEX trace_by_root ON trace (root, project);
-- Traces newest first and failed ones, as for logs.
CREATE INDEX trace_newest ON trace (project, started, root, status);
CREATE INDEX trace_newest_of_all ON trace (started, root, status);
CREATE INDEX trace_failed ON trace (project, started, root) WHERE status = 2;
CREATE INDEX trace_failed_of_all ON trace (started, root) WHERE status = 2;
