-- Which process is at which job. A lease's times are the server's, in microseconds since 1970: it holds from `lease_at` until before
-- `lease_until`, so that a server's clock that is set back ends leases too early and never keeps one for ever.
ALTER TABLE job
    ADD COLUMN place uuid,
    ADD COLUMN subject text COLLATE "C",
    ADD COLUMN token bigint NOT NULL DEFAULT 0,
    ADD COLUMN holder uuid,
    ADD COLUMN lease_at bigint,
    ADD COLUMN lease_until bigint,
    ADD COLUMN cancel_asked boolean NOT NULL DEFAULT false;
-- Jobs with one subject never have two holders, whoever claims them.
CREATE UNIQUE INDEX job_alone ON job (workspace_id, subject) WHERE holder IS NOT NULL AND subject IS NOT NULL;

-- What processes keep in memory and others may have changed. Numbers come from the counter's row, which is locked until the commit:
-- a sequence's would become visible out of order, and a reader that goes by them would miss some.
CREATE TABLE change (
    number bigint PRIMARY KEY,
    workspace_id bigint NOT NULL REFERENCES workspace (id),
    what text COLLATE "C" NOT NULL,
    id_sha256 bytea,
    time bigint NOT NULL
);
CREATE TABLE change_counter (number bigint NOT NULL);
INSERT INTO change_counter VALUES (0);
