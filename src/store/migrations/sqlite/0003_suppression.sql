-- Ids that were erased: what comes under them later is not kept. Only hashes, since the ids themselves are personal.
CREATE TABLE suppression (
    workspace_id INTEGER NOT NULL REFERENCES workspace (id),
    id_sha256 BLOB NOT NULL,
    time INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, id_sha256)
) STRICT, WITHOUT ROWID;

-- To find what hangs on a customer who is to be erased.
CREATE INDEX membership_by_customer ON membership (customer_id);
CREATE INDEX alias_by_target ON alias (to_id);
CREATE INDEX customer_by_owner ON customer (owner_id) WHERE owner_id IS NOT NULL;
CREATE INDEX merge_log_by_root ON merge_log (root_id);
