-- Reports of losses that were counted, oldest first, so that one that comes again is not. Only the newest are kept.
CREATE TABLE loss_report (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE
);
