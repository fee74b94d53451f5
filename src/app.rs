//! The composition root: the only file that names concrete parts and puts them together.

mod follow;
mod place;

pub use crate::jobs::JobSettings;

use crate::api::{self, Access, ApiState, Limits};
use crate::domain::{JobKind, Retention, Timestamp, WorkspaceId};
use crate::embed::{ModelSettings, Models};
use crate::ingest::{UnpackLimits, Vocabulary};
use crate::intake::Intake;
use crate::jobs::{EraseWork, FitWork, ImportWork, JobAsk, Jobs, Rejects, RetentionRequest, RetentionWork, Work};
use crate::segment::{Fitter, Snapshots};
use crate::store::{PostgresStore, SqliteStore, Store, StoreError, StorePlace};
use anyhow::Context;
use axum::Router;
use follow::{Follower, Seen};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::collections::HashSet;
use std::fs::DirEntry;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};
use tokio::task::JoinHandle;

/// What a process of the service is made with.
#[derive(Debug, Clone)]
pub struct AppSettings {
    pub store: StorePlace,
    /// The uploads lie here, and an embedded store.
    pub data_dir: PathBuf,
    pub models: ModelSettings,
    /// Whether it listens on loopback only, or not at all.
    pub loopback: bool,
    /// Made when it is not there.
    pub workspace: WorkspaceId,
    /// Take up jobs that nobody is at.
    pub resume_jobs: bool,
    /// How jobs are held; the data folder's id is put in here.
    pub jobs: JobSettings,
    pub limits: Limits,
    /// What events mean.
    pub vocabulary: Arc<Vocabulary>,
}

/// Everything, put together.
pub struct App {
    pub state: ApiState,
    router: Router,
    /// Follows what other processes change, where there may be others.
    follower: Option<JoinHandle<()>>,
}

impl Drop for App {
    fn drop(&mut self) {
        if let Some(follower) = &self.follower {
            follower.abort();
        }
    }
}

impl App {
    /// Opens the store, loads the live versions and starts the workers.
    ///
    /// # Errors
    /// The store cannot be opened (see [`StoreError`]) or read.
    pub async fn open(settings: AppSettings) -> anyhow::Result<Self> {
        let store: Arc<dyn Store> = match settings.store.clone() {
            StorePlace::Folder(folder) => {
                Arc::new(tokio::task::spawn_blocking(move || SqliteStore::open(&folder)).await??)
            }
            StorePlace::Postgres(url) => Arc::new(PostgresStore::open(&url).await?),
        };
        let models = Arc::new(Models::new(settings.models.clone()));
        Self::with(settings, store, models).await
    }

    /// The same over a store and models that are there already.
    ///
    /// # Errors
    /// The store cannot be read, or the uploads' folder cannot be made.
    pub async fn with(settings: AppSettings, store: Arc<dyn Store>, models: Arc<Models>) -> anyhow::Result<Self> {
        store.create_workspace(&settings.workspace, Timestamp::now()).await?;
        let uploads_dir = settings.data_dir.join("uploads");
        std::fs::create_dir_all(&uploads_dir).with_context(|| format!("{} cannot be made", uploads_dir.display()))?;
        let place = place::id(&settings.data_dir)?;
        let seen = Seen::now(&*store).await?;
        let snapshots = Arc::new(Snapshots::load(&*store).await?);
        let is_shared = matches!(settings.store, StorePlace::Postgres(_));
        let access = Arc::new(Access::new(settings.loopback));
        let fitter = Fitter {
            store: Arc::clone(&store),
            models: Arc::clone(&models),
            snapshots: Arc::clone(&snapshots),
            device: settings.models.device,
        };
        let intake = Arc::new(Intake::open(Arc::clone(&store)).await?);
        let rejects = Arc::new(
            Rejects::open(settings.data_dir.join("rejects")).context("the folder of rejected rows cannot be made")?,
        );
        keep_sweeping(&rejects);
        let follower = Follower {
            store: Arc::clone(&store),
            snapshots: Arc::clone(&snapshots),
            models: Arc::clone(&models),
            access: Arc::clone(&access),
            intake: Arc::clone(&intake),
            rejects: Arc::clone(&rejects),
        };
        let follower = is_shared.then(|| tokio::spawn(follower.run(seen)));
        let import = ImportWork {
            intake: Arc::clone(&intake),
            uploads_dir: uploads_dir.clone(),
            unpack_limits: UnpackLimits::default(),
            rejects: Arc::clone(&rejects),
            vocabulary: Arc::clone(&settings.vocabulary),
        };
        let retention = RetentionWork {
            store: Arc::clone(&store),
            snapshots: Arc::clone(&snapshots),
            forget_texts: {
                let models = Arc::clone(&models);
                Arc::new(move |texts| models.purge_texts(texts))
            },
        };
        let works: Vec<(JobKind, Arc<dyn Work>)> = vec![
            (JobKind::Import, Arc::new(import)),
            (JobKind::Fit, Arc::new(FitWork(fitter))),
            (JobKind::Retention, Arc::new(retention)),
            (JobKind::Erase, Arc::new(EraseWork { store: Arc::clone(&store), rejects: Arc::clone(&rejects) })),
        ];
        let jobs =
            Arc::new(Jobs::start(Arc::clone(&store), works, JobSettings { place: Some(place), ..settings.jobs }));
        if settings.resume_jobs {
            keep_expiring(&store, &jobs);
        }
        remove_orphans(&*store, &uploads_dir, is_shared).await?;
        if settings.resume_jobs {
            let n = jobs.resume().await?;
            if n > 0 {
                tracing::info!(n, "{n} unfinished jobs are taken up again");
            }
        }
        let state = ApiState {
            store,
            intake,
            models,
            snapshots,
            jobs,
            access,
            metrics: metrics_handle()?,
            limits: settings.limits,
            rejects,
            vocabulary: settings.vocabulary,
            uploads_dir,
        };
        Ok(Self { router: api::router(state.clone()), state, follower })
    }

    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Asks running jobs to leave at their next step and waits for them, at most `patience`.
    pub async fn close(self, patience: Duration) {
        if !self.state.jobs.stop(patience).await {
            tracing::warn!("a job would not leave in time; it is taken up again after the next start");
        }
    }
}

/// Sizes of batches, where the other histograms count seconds.
const BATCH_TOKENS: [f64; 10] = [16.0, 64.0, 256.0, 512.0, 1_024.0, 2_048.0, 4_096.0, 8_192.0, 16_384.0, 65_536.0];

/// One recorder a process, however many apps a test opens.
fn metrics_handle() -> anyhow::Result<PrometheusHandle> {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    if let Some(handle) = HANDLE.get() {
        return Ok(handle.clone());
    }
    let buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
    let tokens = Matcher::Full("clientele_embed_batch_tokens".into());
    let builder = PrometheusBuilder::new().set_buckets(&buckets)?;
    let recorder = builder.set_buckets_for_metric(tokens, &BATCH_TOKENS)?.build_recorder();
    let handle = recorder.handle();
    // Where a program has a recorder of its own already, its figures go there and this handle stays empty.
    if let Err(error) = metrics::set_global_recorder(recorder) {
        tracing::debug!(%error, "metrics go to another recorder");
    }
    Ok(HANDLE.get_or_init(|| handle).clone())
}

/// Rejected rows are personal data with an end: looked for now and every hour, as long as the service is there.
fn keep_sweeping(rejects: &Arc<Rejects>) {
    let rejects = Arc::downgrade(rejects);
    tokio::spawn(async move {
        let mut hours = tokio::time::interval(Duration::from_secs(60 * 60));
        loop {
            hours.tick().await;
            let Some(rejects) = rejects.upgrade() else { return };
            rejects.sweep(SystemTime::now());
        }
    });
}

/// Once a day and workspace, whichever process comes to it first: the day is the job's idempotency key.
fn keep_expiring(store: &Arc<dyn Store>, jobs: &Arc<Jobs>) {
    let (store, jobs) = (Arc::downgrade(store), Arc::downgrade(jobs));
    tokio::spawn(async move {
        let mut hours = tokio::time::interval(Duration::from_secs(60 * 60));
        loop {
            hours.tick().await;
            let (Some(store), Some(jobs)) = (store.upgrade(), jobs.upgrade()) else { return };
            if let Err(error) = expire(&*store, &jobs).await {
                tracing::warn!(%error, "facts that are too old cannot be removed at the moment");
            }
        }
    });
}

async fn expire(store: &dyn Store, jobs: &Jobs) -> Result<(), StoreError> {
    for workspace in store.workspaces().await? {
        let Some(value) = store.setting(&workspace.id, Retention::NAME).await? else { continue };
        let retention: Retention = serde_json::from_value(value).map_err(|why| StoreError::Corrupt(why.to_string()))?;
        if retention.keeps_all() {
            continue;
        }
        let request = serde_json::to_value(RetentionRequest { retention, dry_run: false });
        let request = request.map_err(|why| StoreError::Corrupt(why.to_string()))?;
        let mut ask = JobAsk::new(JobKind::Retention, request);
        ask.idempotency_key = Some(format!("retention {}", Timestamp::now().strftime("%Y-%m-%d")));
        jobs.submit(&workspace.id, ask).await?;
    }
    Ok(())
}

/// An upload that others may still be receiving is left alone for this long after its last byte.
const RECEIVING: Duration = Duration::from_secs(60 * 60);

/// Uploads whose job is not there (a crash between the two) are of no use to anybody. Where others share the folder, one that is
/// new may be an upload that they are just receiving.
async fn remove_orphans(store: &dyn Store, uploads_dir: &Path, is_shared: bool) -> Result<(), StoreError> {
    // Listed before the jobs are: an upload is there before its job.
    let Ok(entries) = std::fs::read_dir(uploads_dir) else { return Ok(()) };
    let entries: Vec<_> = entries.flatten().collect();
    let wanted: HashSet<String> =
        store.unfinished_jobs().await?.into_iter().map(|(_, job)| job.id.to_string()).collect();
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        // What an upload unpacks to has its name and an ending more.
        let job = name.split_once('.').map_or(&*name, |(job, _)| job);
        let may_be_wanted = wanted.contains(job) || (is_shared && is_new(&entry));
        if !may_be_wanted && let Err(error) = std::fs::remove_file(entry.path()) {
            tracing::warn!(%error, "a left-over upload could not be removed");
        }
    }
    Ok(())
}

fn is_new(entry: &DirEntry) -> bool {
    let written = entry.metadata().and_then(|metadata| metadata.modified());
    written.is_ok_and(|then| SystemTime::now().duration_since(then).is_ok_and(|age| age < RECEIVING))
}
