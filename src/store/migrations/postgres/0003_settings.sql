-- A workspace's settings, JSON by name.
CREATE TABLE setting (
    workspace_id bigint NOT NULL REFERENCES workspace (id),
    name text COLLATE "C" NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (workspace_id, name)
);
