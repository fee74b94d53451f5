-- Which process is at which job. A lease's times are microseconds since the process started, so that no clock that is set moves
-- them; whoever opens the store ends every lease that an earlier process left.
ALTER TABLE job ADD COLUMN place BLOB;
ALTER TABLE job ADD COLUMN subject TEXT;
ALTER TABLE job ADD COLUMN token INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN holder BLOB;
ALTER TABLE job ADD COLUMN lease_until INTEGER;
ALTER TABLE job ADD COLUMN cancel_asked INTEGER NOT NULL DEFAULT 0;
-- Jobs with one subject never have two holders, whoever claims them.
CREATE UNIQUE INDEX job_alone ON job (workspace_id, subject) WHERE holder IS NOT NULL AND subject IS NOT NULL;

-- What processes keep in memory and others may have changed.
CREATE TABLE change (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL REFERENCES workspace (id),
    what TEXT NOT NULL,
    id_sha256 BLOB,
    time INTEGER NOT NULL
) STRICT;
