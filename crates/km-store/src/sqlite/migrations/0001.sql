-- The ledger of accepted writes. Every other table follows from it, but for alerts, keys and what was
-- decided about dead letters. Times are microseconds since 1970-01-01T00:00:00Z.
CREATE TABLE ledger (
    -- The order of application. A dead letter has a place too, and takes a new one when it is applied.
    position        INTEGER PRIMARY KEY,
    tenant          TEXT NOT NULL,
    write_id        TEXT NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('applied', 'pending', 'parked', 'settled', 'discarded')),
    entry_id        BLOB CHECK (length(entry_id) = 16),
    revision        INTEGER,
    outcome         TEXT,
    -- The revision of the same entry that was applied before this one.
    previous        INTEGER,
    path            TEXT,
    incident_id     TEXT,
    approval_id     TEXT,
    approval_status TEXT,
    playbook        TEXT,
    occurred_at     INTEGER NOT NULL,
    stored_at       INTEGER NOT NULL,
    content_hash    BLOB NOT NULL CHECK (length(content_hash) = 32),
    payload         TEXT NOT NULL,
    CHECK ((state = 'applied') = (entry_id IS NOT NULL AND revision IS NOT NULL AND outcome IS NOT NULL))
) STRICT;

CREATE UNIQUE INDEX ledger_by_write ON ledger (tenant, write_id);

CREATE INDEX ledger_letters ON ledger (tenant)
    WHERE state <> 'applied';

-- How many letters wait, and how large they are, without reading one.
CREATE INDEX letters_waiting ON ledger (octet_length(payload))
    WHERE state IN ('pending', 'parked');

-- What the link reconciler compares with links and approvals, without reading a payload: with the state last,
-- SQLite knows it from the index.
CREATE INDEX ledger_approvals ON ledger (tenant, incident_id, approval_id, occurred_at)
    WHERE incident_id IS NOT NULL AND approval_id IS NOT NULL AND state = 'applied';
CREATE INDEX ledger_playbooks ON ledger (tenant, incident_id, playbook, occurred_at)
    WHERE incident_id IS NOT NULL AND playbook IS NOT NULL AND state = 'applied';
CREATE INDEX ledger_statuses ON ledger (tenant, approval_id, occurred_at, write_id, approval_status)
    WHERE approval_id IS NOT NULL AND approval_status IS NOT NULL AND state = 'applied';

-- Which ledger this is. What is derived from it, such as the search index, names it.
CREATE TABLE identity (
    only      INTEGER PRIMARY KEY CHECK (only = 1),
    ledger_id BLOB NOT NULL CHECK (length(ledger_id) = 16)
) STRICT;

INSERT INTO identity (only, ledger_id)
VALUES (1, randomblob(16));

CREATE TABLE entries (
    tenant           TEXT NOT NULL,
    entry_id         BLOB NOT NULL,
    entry_key        TEXT NOT NULL,
    -- The maximum of (occurred_at, write_id) over its revisions.
    head             INTEGER NOT NULL,
    head_occurred_at INTEGER NOT NULL,
    head_write_id    TEXT NOT NULL,
    -- The revision that was applied last.
    newest           INTEGER NOT NULL,
    revisions        INTEGER NOT NULL,
    PRIMARY KEY (tenant, entry_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE links (
    tenant      TEXT NOT NULL,
    incident_id TEXT NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('approval', 'playbook')),
    target_id   TEXT NOT NULL,
    since       INTEGER NOT NULL,
    PRIMARY KEY (tenant, incident_id, kind, target_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX links_by_target ON links (tenant, kind, target_id, incident_id);

-- Where each approval stands, whichever incident its statements name, or none.
CREATE TABLE approvals (
    tenant          TEXT NOT NULL,
    approval_id     TEXT NOT NULL,
    -- By the newest statement.
    status          TEXT NOT NULL,
    status_at       INTEGER NOT NULL,
    status_write_id TEXT NOT NULL,
    -- By the earliest statement that it is approved; none while there is none.
    approved_since  INTEGER,
    PRIMARY KEY (tenant, approval_id)
) STRICT, WITHOUT ROWID;

-- What was said of alerts, by the start that a notice named: see `occurrence` in km-contract.
CREATE TABLE alerts (
    tenant         TEXT NOT NULL,
    fingerprint    TEXT NOT NULL,
    starts_at      INTEGER NOT NULL,
    -- The incident that this start opened, or would have opened.
    incident_id    TEXT NOT NULL,
    -- Whether that incident was answered as resolved.
    told           INTEGER NOT NULL CHECK (told IN (0, 1)),
    -- When a firing notice was seen last.
    firing_seen_at INTEGER,
    -- The latest end that was named, and when it was seen first.
    ends_at        INTEGER,
    end_seen_at    INTEGER,
    PRIMARY KEY (tenant, fingerprint, starts_at),
    CHECK ((ends_at IS NULL) = (end_seen_at IS NULL)),
    CHECK (ends_at IS NOT NULL OR firing_seen_at IS NOT NULL)
) STRICT, WITHOUT ROWID;

CREATE INDEX alerts_by_incident ON alerts (tenant, incident_id);

-- What follows from it: each occurrence covers the starts from its own up to that of the next one.
CREATE TABLE occurrences (
    tenant        TEXT NOT NULL,
    fingerprint   TEXT NOT NULL,
    starts_at     INTEGER NOT NULL,
    incident_id   TEXT NOT NULL,
    ends_at       INTEGER,
    seen_at       INTEGER NOT NULL,
    -- How many starts it covers.
    starts        INTEGER NOT NULL,
    labels        TEXT NOT NULL,
    annotations   TEXT NOT NULL,
    generator_url TEXT,
    PRIMARY KEY (tenant, fingerprint, starts_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE letters (
    tenant      TEXT NOT NULL,
    write_id    TEXT NOT NULL,
    format      TEXT NOT NULL,
    class       TEXT NOT NULL,
    code        TEXT NOT NULL,
    template    TEXT NOT NULL,
    tries       INTEGER NOT NULL,
    next_try_at INTEGER,
    -- The payload as it came in, once it was edited.
    original    TEXT,
    PRIMARY KEY (tenant, write_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX letters_due ON letters (next_try_at)
    WHERE next_try_at IS NOT NULL;

CREATE TABLE letter_events (
    id       INTEGER PRIMARY KEY,
    tenant   TEXT NOT NULL,
    write_id TEXT NOT NULL,
    at       INTEGER NOT NULL,
    by       TEXT NOT NULL,
    what     TEXT NOT NULL,
    detail   TEXT NOT NULL
) STRICT;

CREATE INDEX letter_events_by_letter ON letter_events (tenant, write_id, id);

CREATE TABLE redrives (
    id         TEXT PRIMARY KEY,
    tenant     TEXT NOT NULL,
    state      TEXT NOT NULL,
    only_state TEXT,
    format     TEXT,
    code       TEXT,
    per_second INTEGER NOT NULL,
    by         TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    cursor     INTEGER,
    tried      INTEGER NOT NULL,
    settled    INTEGER NOT NULL,
    failed     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE seals (
    through   INTEGER PRIMARY KEY,
    records   INTEGER NOT NULL,
    hash      BLOB NOT NULL,
    sealed_at INTEGER NOT NULL
) STRICT;

CREATE TABLE api_keys (
    id         TEXT PRIMARY KEY,
    digest     BLOB NOT NULL,
    name       TEXT NOT NULL,
    tenant     TEXT NOT NULL,
    scopes     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;
