-- How many logs each project has that started within an hour (`hour` counts those since 1970), and how they ended, so that
-- exact totals need no walk.
CREATE TABLE tally (
    project INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    logs INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    PRIMARY KEY (project, hour)
) WITHOUT ROWID;
INSERT INTO tally SELECT project, (started - iif(started < 0, 3599999999, 0)) / 3600000000, count(*), total(status = 1),
    total(status = 2) FROM log GROUP BY 1, 2;
-- Whether a log had two scores of the name at once, so that rows of `score` are not logs.
ALTER TABLE word ADD COLUMN repeats INTEGER NOT NULL DEFAULT 0;
UPDATE word SET repeats = 1
    WHERE id IN (SELECT word FROM score GROUP BY word, started, log HAVING count(*) > 1);
