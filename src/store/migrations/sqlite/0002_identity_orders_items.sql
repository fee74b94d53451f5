-- Who is who, what was bought and what is offered.

-- An id is a row of its own for ever; `root_id` is the customer its facts count for, nothing while it stands for itself.
ALTER TABLE customer ADD COLUMN root_id INTEGER REFERENCES customer (id);
-- 0 while only calls with an anonymous id have named it.
ALTER TABLE customer ADD COLUMN known INTEGER NOT NULL DEFAULT 1;
-- Of the known ids that were named beside it, the earliest (ties: the least id), so that the order of arrival does not matter.
ALTER TABLE customer ADD COLUMN owner_id INTEGER REFERENCES customer (id);
ALTER TABLE customer ADD COLUMN owned_at INTEGER;
ALTER TABLE customer ADD COLUMN n_orders INTEGER NOT NULL DEFAULT 0;
CREATE INDEX customer_by_root ON customer (root_id) WHERE root_id IS NOT NULL;

ALTER TABLE workspace ADD COLUMN n_orders INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workspace ADD COLUMN n_items INTEGER NOT NULL DEFAULT 0;

-- What the shop said itself: `from_id` is the same person as `to_id`.
CREATE TABLE alias (
    from_id INTEGER NOT NULL REFERENCES customer (id),
    to_id INTEGER NOT NULL REFERENCES customer (id),
    time INTEGER NOT NULL,
    PRIMARY KEY (from_id, to_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE merge_log (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL REFERENCES workspace (id),
    customer_id INTEGER NOT NULL REFERENCES customer (id),
    root_id INTEGER NOT NULL REFERENCES customer (id),
    reason TEXT NOT NULL,
    time INTEGER NOT NULL
) STRICT;
CREATE INDEX merge_log_by_seq ON merge_log (workspace_id);
CREATE INDEX merge_log_by_customer ON merge_log (customer_id);

-- Ids of calls that leave no event, so that one sent again changes nothing.
CREATE TABLE message (
    workspace_id INTEGER NOT NULL REFERENCES workspace (id),
    message_id TEXT NOT NULL,
    PRIMARY KEY (workspace_id, message_id)
) STRICT, WITHOUT ROWID;

ALTER TABLE event ADD COLUMN kind TEXT NOT NULL DEFAULT 'track';
-- What the vocabulary made of it; nothing for an event it does not know.
ALTER TABLE event ADD COLUMN activity TEXT;
ALTER TABLE event ADD COLUMN item_id TEXT;
ALTER TABLE event ADD COLUMN amount_minor INTEGER;
ALTER TABLE event ADD COLUMN currency TEXT;
ALTER TABLE event ADD COLUMN value REAL;
CREATE INDEX event_by_seq ON event (workspace_id);
CREATE INDEX event_by_customer ON event (customer_id, time);

CREATE TABLE purchase (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL REFERENCES workspace (id),
    order_id TEXT NOT NULL,
    customer_id INTEGER NOT NULL REFERENCES customer (id),
    -- When it was placed, and when what stands here of it was said.
    time INTEGER NOT NULL,
    said_at INTEGER NOT NULL,
    total_minor INTEGER NOT NULL,
    currency TEXT,
    discount_minor INTEGER NOT NULL,
    -- Lines are read with their order alone, so they lie in it.
    lines TEXT NOT NULL,
    UNIQUE (workspace_id, order_id)
) STRICT;
CREATE INDEX purchase_by_seq ON purchase (workspace_id);
CREATE INDEX purchase_by_customer ON purchase (customer_id, time);

CREATE TABLE refund (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL REFERENCES workspace (id),
    refund_id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    customer_id INTEGER NOT NULL REFERENCES customer (id),
    time INTEGER NOT NULL,
    -- Nothing where all of the order was given back.
    amount_minor INTEGER,
    currency TEXT,
    UNIQUE (workspace_id, refund_id)
) STRICT;
CREATE INDEX refund_by_seq ON refund (workspace_id);
CREATE INDEX refund_by_customer ON refund (customer_id, time);

CREATE TABLE item (
    workspace_id INTEGER NOT NULL REFERENCES workspace (id),
    item_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT,
    category TEXT,
    description TEXT,
    price_minor INTEGER,
    currency TEXT,
    attributes TEXT NOT NULL,
    time INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, item_id)
) STRICT, WITHOUT ROWID;

-- Accounts: companies, schools. Traits as with customers.
CREATE TABLE account (
    id INTEGER PRIMARY KEY,
    workspace_id INTEGER NOT NULL REFERENCES workspace (id),
    group_id TEXT NOT NULL,
    UNIQUE (workspace_id, group_id)
) STRICT;
CREATE TABLE account_trait (
    account_id INTEGER NOT NULL REFERENCES account (id),
    name TEXT NOT NULL,
    value TEXT,
    time INTEGER NOT NULL,
    PRIMARY KEY (account_id, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE account_member (
    customer_id INTEGER NOT NULL REFERENCES customer (id),
    account_id INTEGER NOT NULL REFERENCES account (id),
    PRIMARY KEY (customer_id, account_id)
) STRICT, WITHOUT ROWID;
