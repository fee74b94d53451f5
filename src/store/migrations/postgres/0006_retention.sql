-- Facts that were removed for their age: half a hash of each one's id stays, so that it never comes back as new.
CREATE TABLE tombstone (
    workspace_id bigint NOT NULL REFERENCES workspace (id),
    id_sha256 bytea NOT NULL,
    PRIMARY KEY (workspace_id, id_sha256)
);
