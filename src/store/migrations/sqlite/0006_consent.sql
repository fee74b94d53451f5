-- What customers allow: by id and purpose what stands, and the log of the words that changed it.
CREATE TABLE consent (
    customer_id INTEGER NOT NULL REFERENCES customer (id),
    purpose TEXT NOT NULL,
    is_granted INTEGER NOT NULL,
    time INTEGER NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (customer_id, purpose)
) STRICT, WITHOUT ROWID;

CREATE TABLE consent_log (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL REFERENCES workspace (id),
    customer_id INTEGER NOT NULL REFERENCES customer (id),
    purpose TEXT NOT NULL,
    is_granted INTEGER NOT NULL,
    time INTEGER NOT NULL,
    source TEXT NOT NULL,
    told_at INTEGER NOT NULL
) STRICT;
CREATE INDEX consent_log_by_seq ON consent_log (workspace_id);
CREATE INDEX consent_log_by_customer ON consent_log (customer_id);
