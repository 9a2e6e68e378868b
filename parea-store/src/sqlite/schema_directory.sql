-- Where logs are by their ids, their parents' and their roots': pages of entries sorted by a hash of the id. Indexes of
-- random ids wrote a page of the file for each.
DROP INDEX log_by_id;
DROP INDEX log_by_parent;
DROP INDEX log_by_root;
DROP INDEX log_scored;
-- `id` is that of the run times 2^24, and the upper bits of the hashes.
CREATE TABLE directory (
    id INTEGER PRIMARY KEY,
    data BLOB NOT NULL
);
-- What was written together. State: 0 being merged, 1 in use, 2 being removed. `bits` of a hash tell the page; `filter`
-- tells which hashes are not there.
CREATE TABLE directory_run (
    id INTEGER PRIMARY KEY,
    state INTEGER NOT NULL,
    level INTEGER NOT NULL,
    bits INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    filter BLOB NOT NULL
);
-- Logs whose links changed since they came into a run, and that are not in a newer one.
CREATE TABLE directory_late (log INTEGER PRIMARY KEY);
-- How often runs changed, and the log up to which all are in one.
ALTER TABLE history ADD COLUMN directory INTEGER NOT NULL DEFAULT 0;
ALTER TABLE history ADD COLUMN linked INTEGER NOT NULL DEFAULT 0;
