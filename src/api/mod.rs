//! The HTTP API: every route on this screen, handlers and wire types in the files beside it.

mod activity;
mod auth;
mod body;
mod calls;
mod consent;
mod cursor;
mod customers;
mod definition;
mod embeddings;
mod facts;
mod health;
mod imports;
mod items;
mod jobs;
mod keys;
mod layers;
mod privacy;
mod problem;
mod quality;
mod redaction;
mod retention;
mod reviews;
mod segmentations;
pub mod server;
mod tei;
mod versions;
mod wire;

pub use auth::{Access, LocalOperator, new_secret, secret_hash};
pub use problem::{ApiError, Code, Problem, ProblemField, TABLE};

use crate::embed::Models;
use crate::ingest::Vocabulary;
use crate::intake::Intake;
use crate::jobs::{Jobs, Rejects};
use crate::segment::Snapshots;
use crate::store::Store;
use auth::KeyScheme;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use std::path::PathBuf;
use std::sync::Arc;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What handlers work with; cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    pub store: Arc<dyn Store>,
    /// The way in for facts.
    pub intake: Arc<Intake>,
    pub models: Arc<Models>,
    pub snapshots: Arc<Snapshots>,
    pub jobs: Arc<Jobs>,
    pub access: Arc<Access>,
    pub metrics: metrics_exporter_prometheus::PrometheusHandle,
    pub limits: Limits,
    pub vocabulary: Arc<Vocabulary>,
    /// Where uploads wait for their import job.
    pub uploads_dir: PathBuf,
    /// The rows that imports left out.
    pub rejects: Arc<Rejects>,
}

/// What a request may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A JSON body, in bytes.
    pub json_bytes: usize,
    /// An uploaded file, in bytes.
    pub upload_bytes: u64,
    /// Items in a batch.
    pub batch_items: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { json_bytes: 4 << 20, upload_bytes: 4 << 30, batch_items: 2_500 }
    }
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Clientele", description = "Customer segments from what customers say and do. Errors are `application/problem+json`."),
    components(schemas(Problem, ProblemField)),
    modifiers(&KeyScheme),
    tags(
        (name = "facts", description = "Send what customers say and do"),
        (name = "privacy", description = "Export and erase what is kept of a customer, and what they allow"),
        (name = "lookup", description = "Which segment is this customer in, how surely, since when"),
        (name = "segmentations", description = "Define, fit, inspect, export"),
        (name = "embeddings", description = "Texts into vectors, for clients of OpenAI and of text-embeddings-inference"),
        (name = "jobs", description = "Long work: progress, result, cancel"),
        (name = "operations", description = "Keys, models, health, metrics")
    )
)]
struct ApiDoc;

fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(ApiDoc::openapi())
        .routes(routes!(reviews::create_review, reviews::list_reviews))
        .routes(routes!(reviews::create_reviews))
        .routes(routes!(calls::identify))
        .routes(routes!(calls::track))
        .routes(routes!(calls::page))
        .routes(routes!(calls::screen))
        .routes(routes!(calls::group))
        .routes(routes!(calls::alias))
        .routes(routes!(calls::batch))
        .routes(routes!(calls::import))
        .routes(routes!(items::create_item, items::list_items))
        .routes(routes!(items::create_items))
        .routes(routes!(items::get_item))
        .routes(routes!(imports::create_import))
        .routes(routes!(imports::get_rejects))
        .routes(routes!(customers::workspace))
        .routes(routes!(customers::list_customers))
        .routes(routes!(customers::get_customer, privacy::erase_customer))
        .routes(routes!(privacy::export_customer))
        .routes(routes!(privacy::lift_suppression))
        .routes(routes!(consent::get_consent, consent::put_consent))
        .routes(routes!(consent::get_settings, consent::put_settings))
        .routes(routes!(retention::get_retention, retention::put_retention))
        .routes(routes!(retention::run))
        .routes(routes!(redaction::get_policy, redaction::put_policy))
        .routes(routes!(quality::get_quality))
        .routes(routes!(quality::get_rules, quality::put_rules))
        .routes(routes!(quality::get_currencies, quality::put_currencies))
        .routes(routes!(customers::get_customer_segments))
        .routes(routes!(activity::list_events))
        .routes(routes!(activity::list_orders))
        .routes(routes!(activity::list_merges))
        .routes(routes!(customers::get_customers_segments))
        .routes(routes!(segmentations::list_segmentations))
        .routes(routes!(segmentations::get_segmentation, segmentations::put_segmentation))
        .routes(routes!(segmentations::fit))
        .routes(routes!(segmentations::assign))
        .routes(routes!(versions::list_versions))
        .routes(routes!(versions::get_version))
        .routes(routes!(versions::list_segments))
        .routes(routes!(versions::get_segment))
        .routes(routes!(versions::list_members))
        .routes(routes!(embeddings::create_embeddings))
        .routes(routes!(embeddings::models::list_models))
        .routes(routes!(embeddings::models::get_model))
        .routes(routes!(tei::embed))
        .routes(routes!(tei::embed_all))
        .routes(routes!(tei::tokenize))
        .routes(routes!(tei::info))
        .routes(routes!(jobs::list_jobs))
        .routes(routes!(jobs::get_job, jobs::cancel_job))
        .routes(routes!(keys::list_keys, keys::create_key))
        .routes(routes!(keys::revoke_key))
        .routes(routes!(health::models))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
}

/// The OpenAPI 3.1 document.
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes().into_openapi()
}

/// The whole service as one router: what `serve` listens with, what tests and the command line call in process.
pub fn router(state: ApiState) -> Router {
    let (api, document) = routes().split_for_parts();
    let api = api
        .layer(DefaultBodyLimit::disable())
        .fallback(layers::no_such_route)
        .method_not_allowed_fallback(layers::no_such_method)
        .with_state(state)
        .merge(crate::console::router())
        .merge(utoipa_swagger_ui::SwaggerUi::new("/docs").url("/openapi.json", document));
    layers::wrap(api)
}
