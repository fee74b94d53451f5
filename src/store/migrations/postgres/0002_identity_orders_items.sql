-- Who is who, what was bought, what is offered and who was erased, with the meanings of SQLite's 0002 and 0003 (see there for the
-- reasons).

-- An id is a row of its own for ever; `root_id` is the customer its facts count for, nothing while it stands for itself.
ALTER TABLE customer ADD COLUMN root_id bigint REFERENCES customer (id);
-- False while only calls with an anonymous id have named it.
ALTER TABLE customer ADD COLUMN known boolean NOT NULL DEFAULT true;
-- Of the known ids that were named beside it, the earliest (ties: the least id).
ALTER TABLE customer ADD COLUMN owner_id bigint REFERENCES customer (id);
ALTER TABLE customer ADD COLUMN owned_at bigint;
ALTER TABLE customer ADD COLUMN n_orders bigint NOT NULL DEFAULT 0;
CREATE INDEX customer_by_root ON customer (root_id) WHERE root_id IS NOT NULL;
CREATE INDEX customer_by_owner ON customer (owner_id) WHERE owner_id IS NOT NULL;

ALTER TABLE workspace ADD COLUMN n_orders bigint NOT NULL DEFAULT 0;
ALTER TABLE workspace ADD COLUMN n_items bigint NOT NULL DEFAULT 0;

-- What the shop said itself: `from_id` is the same person as `to_id`.
CREATE TABLE alias (
    from_id bigint NOT NULL REFERENCES customer (id),
    to_id bigint NOT NULL REFERENCES customer (id),
    time bigint NOT NULL,
    PRIMARY KEY (from_id, to_id)
);
CREATE INDEX alias_by_target ON alias (to_id);

CREATE TABLE merge_log (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id bigint NOT NULL REFERENCES workspace (id),
    customer_id bigint NOT NULL REFERENCES customer (id),
    root_id bigint NOT NULL REFERENCES customer (id),
    reason text NOT NULL,
    time bigint NOT NULL
);
CREATE INDEX merge_log_by_seq ON merge_log (workspace_id, seq);
CREATE INDEX merge_log_by_customer ON merge_log (customer_id);
CREATE INDEX merge_log_by_root ON merge_log (root_id);

-- Ids of calls that leave no event, so that one sent again changes nothing.
CREATE TABLE message (
    workspace_id bigint NOT NULL REFERENCES workspace (id),
    message_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace_id, message_id)
);

ALTER TABLE event ADD COLUMN kind text NOT NULL DEFAULT 'track';
-- What the vocabulary made of it; nothing for an event it does not know.
ALTER TABLE event ADD COLUMN activity text;
ALTER TABLE event ADD COLUMN item_id text;
ALTER TABLE event ADD COLUMN amount_minor bigint;
ALTER TABLE event ADD COLUMN currency text;
ALTER TABLE event ADD COLUMN value double precision;
CREATE INDEX event_by_seq ON event (workspace_id, id);
CREATE INDEX event_by_customer ON event (customer_id, time, id);

CREATE TABLE purchase (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id bigint NOT NULL REFERENCES workspace (id),
    order_id text COLLATE "C" NOT NULL,
    customer_id bigint NOT NULL REFERENCES customer (id),
    -- When it was placed, and when what stands here of it was said.
    time bigint NOT NULL,
    said_at bigint NOT NULL,
    total_minor bigint NOT NULL,
    currency text,
    discount_minor bigint NOT NULL,
    lines text NOT NULL,
    UNIQUE (workspace_id, order_id)
);
CREATE INDEX purchase_by_seq ON purchase (workspace_id, seq);
CREATE INDEX purchase_by_customer ON purchase (customer_id, time, seq);

CREATE TABLE refund (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id bigint NOT NULL REFERENCES workspace (id),
    refund_id text COLLATE "C" NOT NULL,
    order_id text NOT NULL,
    customer_id bigint NOT NULL REFERENCES customer (id),
    time bigint NOT NULL,
    -- Nothing where all of the order was given back.
    amount_minor bigint,
    currency text,
    UNIQUE (workspace_id, refund_id)
);
CREATE INDEX refund_by_seq ON refund (workspace_id, seq);
CREATE INDEX refund_by_customer ON refund (customer_id, time, seq);

CREATE TABLE item (
    workspace_id bigint NOT NULL REFERENCES workspace (id),
    item_id text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    name text,
    category text,
    description text,
    price_minor bigint,
    currency text,
    attributes text NOT NULL,
    time bigint NOT NULL,
    PRIMARY KEY (workspace_id, item_id)
);

-- Accounts: companies, schools. Traits as with customers.
CREATE TABLE account (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id bigint NOT NULL REFERENCES workspace (id),
    group_id text COLLATE "C" NOT NULL,
    UNIQUE (workspace_id, group_id)
);
CREATE TABLE account_trait (
    account_id bigint NOT NULL REFERENCES account (id),
    name text COLLATE "C" NOT NULL,
    value text COLLATE "C",
    time bigint NOT NULL,
    PRIMARY KEY (account_id, name)
);
CREATE TABLE account_member (
    customer_id bigint NOT NULL REFERENCES customer (id),
    account_id bigint NOT NULL REFERENCES account (id),
    PRIMARY KEY (customer_id, account_id)
);

-- Ids that were erased: what comes under them later is not kept. Only hashes, since the ids themselves are personal.
CREATE TABLE suppression (
    workspace_id bigint NOT NULL REFERENCES workspace (id),
    id_sha256 bytea NOT NULL,
    time bigint NOT NULL,
    PRIMARY KEY (workspace_id, id_sha256)
);
-- To find what hangs on a customer who is to be erased.
CREATE INDEX membership_by_customer ON membership (customer_id);
