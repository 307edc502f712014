-- The queue of durable reports, in the order in which the CSMS must hear them.
CREATE TABLE queue (
    seq INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL,
    transaction_id TEXT,
    evse_id INTEGER NOT NULL,
    kind TEXT NOT NULL,           -- Started, Ended; values: what may be thinned out
    boot INTEGER NOT NULL,        -- whose clock made the stamps
    attempts INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL
);

-- What the CSMS refused for good: shown in the status. Starts and ends are never lost.
CREATE TABLE parked (
    seq INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL,
    transaction_id TEXT,
    kind TEXT NOT NULL,
    boot INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    body TEXT NOT NULL,
    error TEXT NOT NULL,
    parked_ms INTEGER NOT NULL
);

-- A transaction until its end has been delivered. record: NULL once it has ended.
-- boot, seq: when it was last saved; they place its stamps before or after a step of the clock.
CREATE TABLE transactions (
    transaction_id TEXT PRIMARY KEY,
    record TEXT,
    boot INTEGER NOT NULL DEFAULT 0,
    seq INTEGER NOT NULL DEFAULT 0,
    csms_id TEXT,
    sent_ms INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- Meter values for the end report, in the order of their ids; boot and seq as above.
CREATE TABLE transaction_data (
    transaction_id TEXT NOT NULL,
    id INTEGER NOT NULL,
    boot INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (transaction_id, id)
) WITHOUT ROWID;

CREATE TABLE authorization_cache (
    key TEXT PRIMARY KEY,
    body TEXT NOT NULL
) WITHOUT ROWID;

-- Stamps of this boot made before this seq are off by delta_ms.
CREATE TABLE clock_steps (
    boot INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    delta_ms INTEGER NOT NULL
);

CREATE TABLE facts (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
