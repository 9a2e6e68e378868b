-- Datasets. Of several with one name the newest is meant. Columns are a JSON array.
CREATE TABLE dataset (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    columns TEXT NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL
);
CREATE INDEX dataset_by_name ON dataset (name);

-- Their rows. Inputs are a JSON object, tags a JSON array.
CREATE TABLE test_case (
    id INTEGER PRIMARY KEY,
    dataset INTEGER NOT NULL,
    inputs TEXT NOT NULL,
    target TEXT,
    tags TEXT NOT NULL
);
CREATE INDEX test_case_by_dataset ON test_case (dataset);
