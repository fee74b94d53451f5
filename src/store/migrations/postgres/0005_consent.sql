-- What customers allow: by id and purpose what stands, and the log of the words that changed it.
CREATE TABLE consent (
    customer_id bigint NOT NULL REFERENCES customer (id),
    purpose text COLLATE "C" NOT NULL,
    is_granted boolean NOT NULL,
    time bigint NOT NULL,
    source text COLLATE "C" NOT NULL,
    PRIMARY KEY (customer_id, purpose)
);

CREATE TABLE consent_log (
    seq bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    workspace_id bigint NOT NULL REFERENCES workspace (id),
    customer_id bigint NOT NULL REFERENCES customer (id),
    purpose text COLLATE "C" NOT NULL,
    is_granted boolean NOT NULL,
    time bigint NOT NULL,
    source text COLLATE "C" NOT NULL,
    told_at bigint NOT NULL
);
CREATE INDEX consent_log_by_customer ON consent_log (customer_id);
