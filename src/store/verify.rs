//! Whether a store is sound: what its kind can say of itself, and what this program keeps true between its rows.

use super::{PostgresUrl, Result, StoreError, StorePlace, postgres, sqlite};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What holds in a sound store.
    pub says: &'static str,
    /// Rows, or pages, where it does not.
    pub n_wrong: u64,
}

/// What looking through a store found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    pub schema: i64,
    pub checks: Vec<Checked>,
    /// Copies that were interrupted: nobody sees them, and the next copy into the store removes them.
    pub n_unfinished_copies: u64,
}

impl Verified {
    pub fn is_sound(&self) -> bool {
        self.checks.iter().all(|check| check.n_wrong == 0)
    }
}

/// Looks through a whole store, of which it changes nothing. It may be in use meanwhile: what is looked at is one moment.
///
/// # Errors
/// What opening a store fails with. A store of an older schema is refused, because looking updates none.
pub async fn verify(place: &StorePlace, progress: &(dyn Fn(&'static str) + Sync)) -> Result<Verified> {
    match place {
        StorePlace::Folder(folder) => tokio::task::block_in_place(|| sqlite::verify(folder, progress)),
        StorePlace::Postgres(url) => of_postgres(url, progress).await,
    }
}

async fn of_postgres(url: &PostgresUrl, progress: &(dyn Fn(&'static str) + Sync)) -> Result<Verified> {
    if !postgres::PostgresSide::is_there(url).await? {
        return Err(StoreError::Open { place: url.place().to_owned(), why: "there is no store in this schema".into() });
    }
    let mut side = postgres::PostgresSide::look(url).await?;
    side.verify(progress).await
}

/// What holds between rows, whatever the store: a statement counts those where it does not. Copies that are not whole are left out.
pub(super) const INVARIANTS: &[(&str, &str)] = &[
    (
        "a workspace's counts are those of its rows",
        "SELECT count(*) FROM workspace w WHERE slug NOT LIKE '~%' AND (
             n_customers <> (SELECT count(*) FROM customer it WHERE it.workspace_id = w.id AND it.root_id IS NULL)
             OR n_reviews <> (SELECT count(*) FROM review it WHERE it.workspace_id = w.id)
             OR n_events <> (SELECT count(*) FROM event it WHERE it.workspace_id = w.id)
             OR n_orders <> (SELECT count(*) FROM purchase it WHERE it.workspace_id = w.id)
             OR n_items <> (SELECT count(*) FROM item it WHERE it.workspace_id = w.id))",
    ),
    (
        "an id's counts are those of its rows",
        "SELECT count(*) FROM customer c JOIN workspace w ON w.id = c.workspace_id
         LEFT JOIN (SELECT customer_id, count(*) AS n FROM review GROUP BY customer_id) r ON r.customer_id = c.id
         LEFT JOIN (SELECT customer_id, count(*) AS n FROM event GROUP BY customer_id) e ON e.customer_id = c.id
         LEFT JOIN (SELECT customer_id, count(*) AS n FROM purchase GROUP BY customer_id) o ON o.customer_id = c.id
         WHERE slug NOT LIKE '~%'
             AND (c.n_reviews <> coalesce(r.n, 0) OR c.n_events <> coalesce(e.n, 0) OR c.n_orders <> coalesce(o.n, 0))",
    ),
    (
        "an event is in its customer's workspace",
        "SELECT count(*) FROM event it LEFT JOIN customer c ON c.id = it.customer_id
         WHERE c.id IS NULL OR c.workspace_id <> it.workspace_id",
    ),
    (
        "a review is in its customer's workspace",
        "SELECT count(*) FROM review it LEFT JOIN customer c ON c.id = it.customer_id
         WHERE c.id IS NULL OR c.workspace_id <> it.workspace_id",
    ),
    (
        "an order is in its customer's workspace",
        "SELECT count(*) FROM purchase it LEFT JOIN customer c ON c.id = it.customer_id
         WHERE c.id IS NULL OR c.workspace_id <> it.workspace_id",
    ),
    (
        "a refund is in its customer's workspace",
        "SELECT count(*) FROM refund it LEFT JOIN customer c ON c.id = it.customer_id
         WHERE c.id IS NULL OR c.workspace_id <> it.workspace_id",
    ),
    (
        "an id counts for a customer of its workspace who counts for nobody else",
        "SELECT count(*) FROM customer c LEFT JOIN customer root ON root.id = c.root_id
         WHERE c.root_id IS NOT NULL AND (root.id IS NULL OR root.root_id IS NOT NULL OR root.workspace_id <> c.workspace_id)",
    ),
    (
        "an id is claimed by one of its workspace, since a moment",
        "SELECT count(*) FROM customer c LEFT JOIN customer owner ON owner.id = c.owner_id
         JOIN workspace w ON w.id = c.workspace_id
         WHERE slug NOT LIKE '~%' AND (
             (c.owner_id IS NULL) <> (c.owned_at IS NULL)
             OR c.owner_id IS NOT NULL AND (owner.id IS NULL OR owner.workspace_id <> c.workspace_id))",
    ),
    (
        "an alias ties two ids of one workspace",
        "SELECT count(*) FROM alias LEFT JOIN customer one ON one.id = from_id LEFT JOIN customer other ON other.id = to_id
         WHERE one.id IS NULL OR other.id IS NULL OR one.workspace_id <> other.workspace_id",
    ),
    (
        "a member and the account are of one workspace",
        "SELECT count(*) FROM account_member m LEFT JOIN customer c ON c.id = m.customer_id
         LEFT JOIN account a ON a.id = m.account_id
         WHERE a.id IS NULL OR c.id IS NULL OR a.workspace_id <> c.workspace_id",
    ),
    (
        "a vector is of a review of its model's workspace",
        "SELECT count(*) FROM review_vector v LEFT JOIN embedding_model m ON m.id = v.model_id
         LEFT JOIN review r ON r.seq = v.seq
         WHERE m.id IS NULL OR r.seq IS NULL OR r.workspace_id <> m.workspace_id",
    ),
    (
        "a model counts its vectors",
        "SELECT count(*) FROM embedding_model m JOIN workspace w ON w.id = m.workspace_id
         WHERE slug NOT LIKE '~%' AND n_vectors <> (SELECT count(*) FROM review_vector v WHERE v.model_id = m.id)",
    ),
    (
        "up to where a model is complete each review has its vector",
        "SELECT count(*) FROM embedding_model m JOIN workspace w ON w.id = m.workspace_id
         JOIN review r ON r.workspace_id = m.workspace_id AND r.seq <= m.complete_through
         WHERE slug NOT LIKE '~%' AND NOT EXISTS (SELECT 1 FROM review_vector v WHERE v.model_id = m.id AND v.seq = r.seq)",
    ),
    (
        "a segmentation's live version is the one that is live",
        "SELECT count(*) FROM segmentation s JOIN workspace w ON w.id = s.workspace_id
         WHERE slug NOT LIKE '~%' AND coalesce(live_version, 0)
             <> coalesce((SELECT number FROM version v WHERE v.segmentation_id = s.id AND state = 'live'), 0)",
    ),
    (
        "versions are numbered one by one",
        "SELECT count(*) FROM (
             SELECT count(*) AS n, max(number) AS last FROM version v JOIN segmentation s ON s.id = v.segmentation_id
             JOIN workspace w ON w.id = s.workspace_id WHERE slug NOT LIKE '~%' GROUP BY segmentation_id
         ) counted WHERE n <> last",
    ),
    (
        "a version has a centroid a segment",
        "SELECT count(*) FROM version v JOIN segmentation s ON s.id = v.segmentation_id
         JOIN workspace w ON w.id = s.workspace_id
         WHERE slug NOT LIKE '~%' AND (joined IS NULL AND length(centre) <> 4 * dimension
             OR length(centroids) <> 4 * dimension * (SELECT count(*) FROM segment it WHERE it.version_id = v.id))",
    ),
    (
        "a membership is a customer's in a segment of the version",
        "SELECT count(*) FROM membership m LEFT JOIN segment it ON it.version_id = m.version_id AND it.id = m.segment_id
         LEFT JOIN customer c ON c.id = m.customer_id LEFT JOIN version v ON v.id = m.version_id
         LEFT JOIN segmentation s ON s.id = v.segmentation_id
         WHERE it.id IS NULL OR c.id IS NULL OR s.id IS NULL OR c.workspace_id <> s.workspace_id",
    ),
    (
        "a job has an end if and only if it has ended",
        "SELECT count(*) FROM job WHERE (state IN ('succeeded', 'failed', 'cancelled')) <> (finished_at IS NOT NULL)",
    ),
];

pub(super) const UNFINISHED_COPIES: &str = "SELECT count(*) FROM workspace WHERE slug LIKE '~%'";
