CREATE TABLE state (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    ledger_id BLOB NOT NULL,
    indexed_through INTEGER NOT NULL
) STRICT;

CREATE TABLE tenant (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    -- The number of its next document.
    next_number INTEGER NOT NULL
) STRICT;

-- Which document number holds an entry's head.
CREATE TABLE entry (
    tenant INTEGER NOT NULL,
    entry_id BLOB NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (tenant, entry_id)
) STRICT, WITHOUT ROWID;

-- Which entry a document number stands for.
CREATE TABLE document (
    tenant INTEGER NOT NULL,
    number INTEGER NOT NULL,
    entry_id BLOB NOT NULL,
    PRIMARY KEY (tenant, number)
) STRICT, WITHOUT ROWID;

-- Segments of one tenant hold disjoint ranges of its document numbers and never change, but for `dead`,
-- `dead_count` and the checksum.
CREATE TABLE segment (
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    first_number INTEGER NOT NULL,
    last_number INTEGER NOT NULL,
    document_count INTEGER NOT NULL,
    length_total INTEGER NOT NULL,
    position_max INTEGER NOT NULL,
    dead_count INTEGER NOT NULL,
    dead BLOB NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;

CREATE INDEX segment_by_number ON segment (tenant, first_number);

-- One value of fixed size for each document of the segment, by ordinal.
CREATE TABLE segment_column (
    segment INTEGER NOT NULL,
    name TEXT NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (segment, name)
) STRICT;

-- The dictionary of a segment: sorted terms in blocks that fit a page.
CREATE TABLE block (
    id INTEGER PRIMARY KEY,
    segment INTEGER NOT NULL,
    first_term BLOB NOT NULL,
    data BLOB NOT NULL
) STRICT;

CREATE UNIQUE INDEX block_by_term ON block (segment, first_term);

-- Postings that are too long to stand in their block.
CREATE TABLE posting (
    id INTEGER PRIMARY KEY,
    data BLOB NOT NULL
) STRICT;
