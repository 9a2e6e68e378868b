-- The hashes of a block's words, sorted, each as its distance to the one before: 7 bits a byte. They wait to be turned
-- over.
CREATE TABLE word_list (
    block INTEGER PRIMARY KEY,
    hashes BLOB NOT NULL
);
-- Lists that were turned over: up to 64 blocks, their ids as 8 bytes each.
CREATE TABLE slab (
    id INTEGER PRIMARY KEY,
    blocks BLOB NOT NULL
);
-- For each hash the blocks of the slab that have it. `id` is that of the slab times 128, and the upper bits of the
-- hashes.
CREATE TABLE posting (
    id INTEGER PRIMARY KEY,
    data BLOB NOT NULL
);
