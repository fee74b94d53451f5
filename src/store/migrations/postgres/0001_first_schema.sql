-- The first schema, with the meanings of SQLite's (see there for the reasons). Times are microseconds since 1970 in UTC, vectors are
-- little-endian f32. JSON is text: `jsonb` would round numbers, reorder keys and refuse a zero byte. Identifiers compare byte by byte
-- whatever the database's language. Sentences may hold U+001A as an escape, because `text` holds no zero byte.

CREATE TABLE workspace (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slug text COLLATE "C" NOT NULL UNIQUE,
    created_at bigint NOT NULL,
    -- Locked by whoever writes facts or vectors of the workspace, until the commit: see the module's first page.
    n_customers bigint NOT NULL DEFAULT 0,
    n_reviews bigint NOT NULL DEFAULT 0,
    n_events bigint NOT NULL DEFAULT 0
);

CREATE TABLE api_key (
    workspace_id bigint NOT NULL REFERENCES workspace (id),
    id uuid NOT NULL,
    secret_sha256 bytea NOT NULL UNIQUE,
    label text NOT NULL,
    scopes text NOT NULL,
    created_at bigint NOT NULL,
    revoked_at bigint,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX api_key_live ON api_key (workspace_id) WHERE revoked_at IS NULL;

CREATE TABLE customer (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id bigint NOT NULL REFERENCES workspace (id),
    external_id text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    n_reviews bigint NOT NULL DEFAULT 0,
    n_events bigint NOT NULL DEFAULT 0,
    UNIQUE (workspace_id, external_id)
);

CREATE TABLE customer_trait (
    customer_id bigint NOT NULL REFERENCES customer (id),
    name text COLLATE "C" NOT NULL,
    value text COLLATE "C",
    time bigint NOT NULL,
    PRIMARY KEY (customer_id, name)
);

CREATE TABLE review (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id bigint NOT NULL REFERENCES workspace (id),
    review_id text COLLATE "C" NOT NULL,
    customer_id bigint NOT NULL REFERENCES customer (id),
    text text NOT NULL,
    item text,
    rating double precision,
    time bigint NOT NULL,
    UNIQUE (workspace_id, review_id)
);
CREATE INDEX review_by_seq ON review (workspace_id, seq);
CREATE INDEX review_by_customer ON review (customer_id, time, seq);

CREATE TABLE event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id bigint NOT NULL REFERENCES workspace (id),
    event_id text COLLATE "C" NOT NULL,
    customer_id bigint NOT NULL REFERENCES customer (id),
    name text NOT NULL,
    time bigint NOT NULL,
    properties text NOT NULL,
    UNIQUE (workspace_id, event_id)
);

CREATE TABLE embedding_model (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id bigint NOT NULL REFERENCES workspace (id),
    fingerprint text COLLATE "C" NOT NULL,
    n_vectors bigint NOT NULL DEFAULT 0,
    complete_through bigint NOT NULL DEFAULT 0,
    UNIQUE (workspace_id, fingerprint)
);

CREATE TABLE review_vector (
    model_id bigint NOT NULL REFERENCES embedding_model (id),
    seq bigint NOT NULL,
    vector bytea NOT NULL,
    PRIMARY KEY (model_id, seq)
);
-- Numbers of a model do not get smaller by being compressed.
ALTER TABLE review_vector ALTER COLUMN vector SET STORAGE EXTERNAL;

CREATE TABLE segmentation (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id bigint NOT NULL REFERENCES workspace (id),
    name text COLLATE "C" NOT NULL,
    model text NOT NULL,
    k bigint,
    seed bigint NOT NULL,
    created_at bigint NOT NULL,
    live_version bigint,
    UNIQUE (workspace_id, name)
);

CREATE TABLE version (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    segmentation_id bigint NOT NULL REFERENCES segmentation (id),
    number bigint NOT NULL,
    state text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    model text NOT NULL,
    k bigint,
    seed bigint NOT NULL,
    model_fingerprint text NOT NULL,
    dimension bigint NOT NULL,
    centre bytea NOT NULL,
    centroids bytea NOT NULL,
    temperature double precision NOT NULL,
    n_customers bigint NOT NULL,
    n_reviews bigint NOT NULL,
    quality text NOT NULL,
    UNIQUE (segmentation_id, number)
);
CREATE UNIQUE INDEX version_live ON version (segmentation_id) WHERE state = 'live';

CREATE TABLE segment (
    version_id bigint NOT NULL REFERENCES version (id),
    position bigint NOT NULL,
    id bigint NOT NULL,
    name text NOT NULL,
    keywords text NOT NULL,
    typical_reviews text NOT NULL,
    size bigint NOT NULL,
    share double precision NOT NULL,
    cohesion double precision NOT NULL,
    stability double precision NOT NULL,
    PRIMARY KEY (version_id, position),
    UNIQUE (version_id, id)
);

CREATE TABLE membership (
    version_id bigint NOT NULL,
    position bigint NOT NULL,
    customer_id bigint NOT NULL,
    segment_id bigint NOT NULL,
    confidence double precision NOT NULL,
    runner_up bigint,
    runner_up_confidence double precision NOT NULL,
    since bigint NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (version_id, position)
);
CREATE INDEX membership_by_segment ON membership (version_id, segment_id, position);

CREATE TABLE job (
    workspace_id bigint NOT NULL REFERENCES workspace (id),
    id uuid NOT NULL,
    kind text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    request text NOT NULL,
    phase text NOT NULL,
    done bigint NOT NULL,
    total bigint,
    checkpoint text,
    result text,
    error_code text,
    error_message text,
    idempotency_key text COLLATE "C",
    created_at bigint NOT NULL,
    finished_at bigint,
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX job_by_idempotency_key ON job (workspace_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX job_unfinished ON job (created_at, id) WHERE state IN ('queued', 'running');
