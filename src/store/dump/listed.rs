//! Every table and every column that belongs to a workspace, in an order in which rows only refer to rows that came before.
//!
//! The list is written by hand, and a test compares it with the schemas of both stores: whoever adds a table or a column says here how it
//! travels, or why it stays behind.

use Kind::{Bytes, Flag, Integer, Real, Text, Uuid, Words};
use Number::{Of, Own, Plain};

/// How a value lies in the stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Kind {
    Integer,
    Real,
    /// As it is in both.
    Text,
    /// As people wrote it; PostgreSQL's texts hold it escaped.
    Words,
    Bytes,
    /// Sixteen bytes; PostgreSQL has a type for it.
    Uuid,
    /// 0 or 1; PostgreSQL has a type for it.
    Flag,
}

/// What an integer numbers, if anything. A store gives numbers out for all its workspaces, so a copy's are others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Number {
    Plain,
    /// The row itself.
    Own,
    /// A row of that table.
    Of(&'static str),
}

#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Column {
    pub name: &'static str,
    pub kind: Kind,
    pub number: Number,
    /// Refers to a row of its own table that may come later: written when all rows are there.
    pub is_tie: bool,
}

/// How a row hangs on its workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Belongs {
    /// It is the workspace's own row.
    Itself,
    /// By its `workspace_id`.
    Directly,
    /// By the row that this column refers to.
    By(&'static str),
}

#[derive(Debug)]
pub(in crate::store) struct Table {
    pub name: &'static str,
    pub belongs: Belongs,
    /// The columns that order a workspace's rows; no two rows have the same.
    pub key: &'static [&'static str],
    /// All that travel; `workspace_id` goes without saying.
    pub columns: &'static [Column],
}

impl Table {
    /// Where a column stands in a row.
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|own| own.name == column)
    }

    /// The column of the numbers that the store gives out for the table's rows.
    pub fn own_number(&self) -> Option<(usize, &'static str)> {
        let own = self.columns.iter().position(|column| column.number == Own)?;
        Some((own, self.columns[own].name))
    }

    pub fn ties(&self) -> impl Iterator<Item = (usize, &'static Column)> {
        self.columns.iter().enumerate().filter(|(_, column)| column.is_tie)
    }

    /// Whether a row names its workspace itself.
    pub fn is_direct(&self) -> bool {
        self.belongs == Belongs::Directly
    }

    /// The table that a column refers to.
    pub fn referred(&self, column: &str) -> Option<&'static Table> {
        match self.columns.iter().find(|own| own.name == column)?.number {
            Of(name) => TABLES.iter().find(|table| table.name == name),
            Own | Plain => None,
        }
    }
}

const fn of(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, number: Plain, is_tie: false }
}

const fn int(name: &'static str) -> Column {
    of(name, Integer)
}

const fn own(name: &'static str) -> Column {
    Column { number: Own, ..int(name) }
}

const fn to(name: &'static str, table: &'static str) -> Column {
    Column { number: Of(table), ..int(name) }
}

const fn tie(name: &'static str, table: &'static str) -> Column {
    Column { is_tie: true, ..to(name, table) }
}

pub(in crate::store) const TABLES: &[Table] = &[
    Table {
        name: "workspace",
        belongs: Belongs::Itself,
        key: &["created_at"],
        // Not `slug`: a copy has another one until it is whole.
        columns: &[
            int("created_at"),
            int("n_customers"),
            int("n_reviews"),
            int("n_events"),
            int("n_orders"),
            int("n_items"),
        ],
    },
    Table {
        name: "api_key",
        belongs: Belongs::Directly,
        key: &["id"],
        columns: &[
            of("id", Uuid),
            of("secret_sha256", Bytes),
            of("label", Words),
            of("scopes", Text),
            int("created_at"),
            int("revoked_at"),
        ],
    },
    Table {
        name: "setting",
        belongs: Belongs::Directly,
        key: &["name"],
        columns: &[of("name", Text), of("value", Text)],
    },
    Table {
        name: "suppression",
        belongs: Belongs::Directly,
        key: &["id_sha256"],
        columns: &[of("id_sha256", Bytes), int("time")],
    },
    Table { name: "tombstone", belongs: Belongs::Directly, key: &["id_sha256"], columns: &[of("id_sha256", Bytes)] },
    Table {
        name: "customer",
        belongs: Belongs::Directly,
        key: &["id"],
        columns: &[
            own("id"),
            of("external_id", Text),
            int("created_at"),
            of("known", Flag),
            int("owned_at"),
            int("n_reviews"),
            int("n_events"),
            int("n_orders"),
            tie("root_id", "customer"),
            tie("owner_id", "customer"),
        ],
    },
    Table {
        name: "customer_trait",
        belongs: Belongs::By("customer_id"),
        key: &["customer_id", "name"],
        columns: &[to("customer_id", "customer"), of("name", Words), of("value", Text), int("time")],
    },
    Table {
        name: "alias",
        belongs: Belongs::By("from_id"),
        key: &["from_id", "to_id"],
        columns: &[to("from_id", "customer"), to("to_id", "customer"), int("time")],
    },
    Table {
        name: "merge_log",
        belongs: Belongs::Directly,
        key: &["seq"],
        columns: &[
            own("seq"),
            to("customer_id", "customer"),
            to("root_id", "customer"),
            of("reason", Text),
            int("time"),
        ],
    },
    Table {
        name: "consent",
        belongs: Belongs::By("customer_id"),
        key: &["customer_id", "purpose"],
        columns: &[
            to("customer_id", "customer"),
            of("purpose", Text),
            of("is_granted", Flag),
            int("time"),
            of("source", Text),
        ],
    },
    Table {
        name: "consent_log",
        belongs: Belongs::Directly,
        key: &["seq"],
        columns: &[
            own("seq"),
            to("customer_id", "customer"),
            of("purpose", Text),
            of("is_granted", Flag),
            int("time"),
            of("source", Text),
            int("told_at"),
        ],
    },
    Table { name: "message", belongs: Belongs::Directly, key: &["message_id"], columns: &[of("message_id", Text)] },
    Table { name: "account", belongs: Belongs::Directly, key: &["id"], columns: &[own("id"), of("group_id", Text)] },
    Table {
        name: "account_trait",
        belongs: Belongs::By("account_id"),
        key: &["account_id", "name"],
        columns: &[to("account_id", "account"), of("name", Words), of("value", Text), int("time")],
    },
    Table {
        name: "account_member",
        belongs: Belongs::By("customer_id"),
        key: &["customer_id", "account_id"],
        columns: &[to("customer_id", "customer"), to("account_id", "account")],
    },
    Table {
        name: "item",
        belongs: Belongs::Directly,
        key: &["item_id"],
        columns: &[
            of("item_id", Text),
            of("kind", Text),
            of("name", Words),
            of("category", Words),
            of("description", Words),
            int("price_minor"),
            of("currency", Text),
            of("attributes", Text),
            int("time"),
        ],
    },
    Table {
        name: "event",
        belongs: Belongs::Directly,
        key: &["id"],
        columns: &[
            own("id"),
            of("event_id", Text),
            to("customer_id", "customer"),
            of("kind", Text),
            of("name", Words),
            int("time"),
            of("properties", Text),
            of("activity", Text),
            of("item_id", Text),
            int("amount_minor"),
            of("currency", Text),
            of("value", Real),
            int("flags"),
        ],
    },
    Table {
        name: "purchase",
        belongs: Belongs::Directly,
        key: &["seq"],
        columns: &[
            own("seq"),
            of("order_id", Text),
            to("customer_id", "customer"),
            int("time"),
            int("said_at"),
            int("total_minor"),
            of("currency", Text),
            int("discount_minor"),
            of("lines", Text),
            int("flags"),
        ],
    },
    Table {
        name: "refund",
        belongs: Belongs::Directly,
        key: &["seq"],
        columns: &[
            own("seq"),
            of("refund_id", Words),
            of("order_id", Text),
            to("customer_id", "customer"),
            int("time"),
            int("amount_minor"),
            of("currency", Text),
            int("flags"),
        ],
    },
    Table {
        name: "review",
        belongs: Belongs::Directly,
        key: &["seq"],
        columns: &[
            own("seq"),
            of("review_id", Text),
            to("customer_id", "customer"),
            of("text", Words),
            of("item", Words),
            of("rating", Real),
            int("time"),
            int("flags"),
            of("language", Text),
            of("language_confidence", Real),
            int("words_hash"),
        ],
    },
    Table {
        name: "quality_count",
        belongs: Belongs::Directly,
        key: &["day", "import", "kind", "rule", "outcome"],
        columns: &[int("day"), of("import", Uuid), of("kind", Text), of("rule", Text), of("outcome", Text), int("n")],
    },
    Table {
        name: "embedding_model",
        belongs: Belongs::Directly,
        key: &["id"],
        columns: &[own("id"), of("fingerprint", Words), int("n_vectors"), to("complete_through", "review")],
    },
    Table {
        name: "review_vector",
        belongs: Belongs::By("model_id"),
        key: &["model_id", "seq"],
        columns: &[to("model_id", "embedding_model"), to("seq", "review"), of("vector", Bytes)],
    },
    Table {
        name: "segmentation",
        belongs: Belongs::Directly,
        key: &["id"],
        columns: &[
            own("id"),
            of("name", Text),
            of("model", Words),
            int("k"),
            int("seed"),
            int("created_at"),
            int("live_version"),
            of("inputs", Text),
            of("algorithm", Text),
        ],
    },
    Table {
        name: "version",
        belongs: Belongs::By("segmentation_id"),
        key: &["id"],
        columns: &[
            own("id"),
            to("segmentation_id", "segmentation"),
            int("number"),
            of("state", Text),
            int("created_at"),
            of("model", Words),
            int("k"),
            int("seed"),
            of("model_fingerprint", Words),
            int("dimension"),
            of("centre", Bytes),
            of("centroids", Bytes),
            of("temperature", Real),
            int("n_customers"),
            int("n_reviews"),
            of("quality", Text),
            of("inputs", Text),
            of("algorithm", Text),
            of("joined", Text),
        ],
    },
    Table {
        name: "segment",
        belongs: Belongs::By("version_id"),
        key: &["version_id", "position"],
        columns: &[
            to("version_id", "version"),
            int("position"),
            int("id"),
            of("name", Words),
            of("keywords", Text),
            of("typical_reviews", Text),
            int("size"),
            of("share", Real),
            of("cohesion", Real),
            of("stability", Real),
            of("portrait", Text),
        ],
    },
    Table {
        name: "membership",
        belongs: Belongs::By("version_id"),
        key: &["version_id", "position"],
        columns: &[
            to("version_id", "version"),
            int("position"),
            to("customer_id", "customer"),
            int("segment_id"),
            of("confidence", Real),
            int("runner_up"),
            of("runner_up_confidence", Real),
            int("since"),
            of("reason", Text),
        ],
    },
    Table {
        name: "job",
        belongs: Belongs::Directly,
        key: &["id"],
        columns: &[
            of("id", Uuid),
            of("kind", Text),
            of("state", Text),
            of("request", Text),
            of("phase", Words),
            int("done"),
            int("total"),
            of("checkpoint", Text),
            of("result", Text),
            of("error_code", Text),
            of("error_message", Words),
            of("idempotency_key", Words),
            int("created_at"),
            int("finished_at"),
            of("place", Uuid),
            of("subject", Text),
            int("token"),
            of("cancel_asked", Flag),
        ],
    },
];

/// What stays behind, and why: `(table, column)`; `*` is the whole table.
#[cfg(test)]
pub(in crate::store) const LEFT: &[(&str, &str, &str)] = &[
    ("workspace", "id", "a copy gets a number of its own"),
    ("workspace", "slug", "a copy gets it when it is whole"),
    ("review_vector", "id", "SQLite's own number, which nothing refers to"),
    ("job", "holder", "a lease is a process's on the old store"),
    ("job", "lease_at", "a lease is a process's on the old store"),
    ("job", "lease_until", "a lease is a process's on the old store"),
    ("change", "*", "news for the processes on the old store"),
    ("change_counter", "*", "the numbers of that news"),
    ("clientele_schema", "*", "each store has its own"),
];
