-- The first schema. Times are microseconds since 1970 in UTC, JSON is text, vectors are little-endian f32.
-- A row belongs to a workspace by its own `workspace_id` or by that of the one row it hangs on.

CREATE TABLE workspace (
    id INTEGER PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    -- Kept with each append, so that counting ten million reviews costs one row.
    n_customers INTEGER NOT NULL DEFAULT 0,
    n_reviews INTEGER NOT NULL DEFAULT 0,
    n_events INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE api_key (
    workspace_id INTEGER NOT NULL REFERENCES workspace (id),
    id BLOB NOT NULL,
    secret_sha256 BLOB NOT NULL UNIQUE,
    label TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER,
    PRIMARY KEY (workspace_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX api_key_live ON api_key (workspace_id) WHERE revoked_at IS NULL;

CREATE TABLE customer (
    id INTEGER PRIMARY KEY,
    workspace_id INTEGER NOT NULL REFERENCES workspace (id),
    external_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    n_reviews INTEGER NOT NULL DEFAULT 0,
    n_events INTEGER NOT NULL DEFAULT 0,
    UNIQUE (workspace_id, external_id)
) STRICT;

-- One row a key, each with its own time, so that the order in which traits arrive does not matter.
-- A removed key stays as a row without a value: without it an older value that arrives late would come back.
CREATE TABLE customer_trait (
    customer_id INTEGER NOT NULL REFERENCES customer (id),
    name TEXT NOT NULL,
    value TEXT,
    time INTEGER NOT NULL,
    PRIMARY KEY (customer_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE review (
    -- Never used twice: pages and vectors go by it.
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL REFERENCES workspace (id),
    review_id TEXT NOT NULL,
    customer_id INTEGER NOT NULL REFERENCES customer (id),
    text TEXT NOT NULL,
    item TEXT,
    rating REAL,
    time INTEGER NOT NULL,
    UNIQUE (workspace_id, review_id)
) STRICT;
-- An index ends with the row's number, so this one orders a workspace's reviews by `seq` …
CREATE INDEX review_by_seq ON review (workspace_id);
-- … and this one a customer's reviews by time and `seq`.
CREATE INDEX review_by_customer ON review (customer_id, time);

CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    workspace_id INTEGER NOT NULL REFERENCES workspace (id),
    event_id TEXT NOT NULL,
    customer_id INTEGER NOT NULL REFERENCES customer (id),
    name TEXT NOT NULL,
    time INTEGER NOT NULL,
    properties TEXT NOT NULL,
    UNIQUE (workspace_id, event_id)
) STRICT;

-- The weights that made vectors in a workspace.
CREATE TABLE embedding_model (
    id INTEGER PRIMARY KEY,
    workspace_id INTEGER NOT NULL REFERENCES workspace (id),
    fingerprint TEXT NOT NULL,
    n_vectors INTEGER NOT NULL DEFAULT 0,
    -- Every review of the workspace up to this `seq` has a vector. It saves looking through the finished ones again and again.
    complete_through INTEGER NOT NULL DEFAULT 0,
    UNIQUE (workspace_id, fingerprint)
) STRICT;

-- `seq` is no foreign key: a key would need an index by `seq` alone for the sake of the rare replaced review, whose
-- vectors are deleted together with it model by model. The unique index is small and holds no vectors: "which
-- reviews lack one" reads that alone.
CREATE TABLE review_vector (
    id INTEGER PRIMARY KEY,
    model_id INTEGER NOT NULL REFERENCES embedding_model (id),
    seq INTEGER NOT NULL,
    vector BLOB NOT NULL,
    UNIQUE (model_id, seq)
) STRICT;

CREATE TABLE segmentation (
    id INTEGER PRIMARY KEY,
    workspace_id INTEGER NOT NULL REFERENCES workspace (id),
    name TEXT NOT NULL,
    model TEXT NOT NULL,
    -- No number: chosen by the fit.
    k INTEGER,
    -- The bits of an unsigned number.
    seed INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    live_version INTEGER,
    UNIQUE (workspace_id, name)
) STRICT;

CREATE TABLE version (
    id INTEGER PRIMARY KEY,
    segmentation_id INTEGER NOT NULL REFERENCES segmentation (id),
    number INTEGER NOT NULL,
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    model TEXT NOT NULL,
    k INTEGER,
    seed INTEGER NOT NULL,
    model_fingerprint TEXT NOT NULL,
    dimension INTEGER NOT NULL,
    centre BLOB NOT NULL,
    centroids BLOB NOT NULL,
    temperature REAL NOT NULL,
    n_customers INTEGER NOT NULL,
    n_reviews INTEGER NOT NULL,
    quality TEXT NOT NULL,
    UNIQUE (segmentation_id, number)
) STRICT;
CREATE UNIQUE INDEX version_live ON version (segmentation_id) WHERE state = 'live';

CREATE TABLE segment (
    version_id INTEGER NOT NULL REFERENCES version (id),
    -- The row of the version's centroids that is this segment's.
    position INTEGER NOT NULL,
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    keywords TEXT NOT NULL,
    typical_reviews TEXT NOT NULL,
    size INTEGER NOT NULL,
    share REAL NOT NULL,
    cohesion REAL NOT NULL,
    stability REAL NOT NULL,
    PRIMARY KEY (version_id, position),
    UNIQUE (version_id, id)
) STRICT, WITHOUT ROWID;

-- `position` counts a version's members in byte order of their ids: a page of a small segment is then one range of
-- an index, however many customers are elsewhere. Publishing has looked every customer and segment up, so no row asks again.
CREATE TABLE membership (
    version_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    customer_id INTEGER NOT NULL,
    segment_id INTEGER NOT NULL,
    confidence REAL NOT NULL,
    runner_up INTEGER,
    runner_up_confidence REAL NOT NULL,
    since INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (version_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX membership_by_segment ON membership (version_id, segment_id, position);

CREATE TABLE job (
    workspace_id INTEGER NOT NULL REFERENCES workspace (id),
    id BLOB NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    request TEXT NOT NULL,
    phase TEXT NOT NULL,
    done INTEGER NOT NULL,
    total INTEGER,
    checkpoint TEXT,
    result TEXT,
    error_code TEXT,
    error_message TEXT,
    idempotency_key TEXT,
    created_at INTEGER NOT NULL,
    finished_at INTEGER,
    PRIMARY KEY (workspace_id, id)
) STRICT;
CREATE UNIQUE INDEX job_by_idempotency_key ON job (workspace_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX job_unfinished ON job (created_at, id) WHERE state IN ('queued', 'running');
