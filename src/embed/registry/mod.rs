//! The models of a process: loaded when first asked for, one owner thread each, and let go again when others need their memory.
//!
//! The table of models is locked for moments only. A model that is being fetched or loaded, which takes seconds or minutes,
//! holds a gate of its own name: it keeps nobody from another model, nor from the list of what is loaded.

mod room;
#[cfg(test)]
mod tests;

use super::{
    EmbedError, EmbedQueue, Embedder, ModelInfo, PrecisionChoice, QueueSettings, Resolved, VectorCache, catalogue,
};
use crate::device::DeviceChoice;
use room::Resident;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How models are found and run.
#[derive(Debug, Clone)]
pub struct ModelSettings {
    /// Where model folders lie and pulled ones land.
    pub models_dir: PathBuf,
    pub device: DeviceChoice,
    pub precision: PrecisionChoice,
    /// Never fetch: use what is in `models_dir`, or fail.
    pub offline: bool,
    /// Bytes that the weights of all loaded models may take; one model alone is loaded whatever its size.
    pub memory_bytes: Option<u64>,
    /// Bytes of vectors kept for texts that come again; 0 keeps none.
    pub cache_bytes: usize,
    /// Each model's queue.
    pub queue: QueueSettings,
}

/// As many vectors of 384 numbers as 38,000 texts have.
pub const DEFAULT_CACHE_BYTES: usize = 64 << 20;

impl Default for ModelSettings {
    fn default() -> Self {
        Self {
            models_dir: PathBuf::new(),
            device: DeviceChoice::default(),
            precision: PrecisionChoice::default(),
            offline: false,
            memory_bytes: None,
            cache_bytes: DEFAULT_CACHE_BYTES,
            queue: QueueSettings::default(),
        }
    }
}

/// Who was refused a model for want of memory may ask again after this time: work of models ends without notice.
const NO_ROOM: Duration = Duration::from_secs(5);

/// Where models come from.
trait Loader: Send + Sync {
    /// The model's files, fetched if need be, and the bytes of its weights.
    fn locate(&self, name: &str) -> Result<(Resolved, u64), EmbedError>;

    fn load(&self, model: &Resolved) -> Result<Arc<dyn Embedder>, EmbedError>;
}

/// All models of a process.
pub struct Models {
    shelf: Arc<Shelf>,
}

impl Models {
    pub fn new(settings: ModelSettings) -> Self {
        let (queue, limit, cache_bytes) = (settings.queue.clone(), settings.memory_bytes, settings.cache_bytes);
        Self::with(Box::new(Folders(settings)), queue, limit, cache_bytes)
    }

    fn with(loader: Box<dyn Loader>, queue: QueueSettings, limit: Option<u64>, cache_bytes: usize) -> Self {
        let cache = Arc::new(VectorCache::new(cache_bytes));
        Self { shelf: Arc::new(Shelf { loader, queue, limit, cache, table: Mutex::default() }) }
    }

    /// Adds a model under a name of its own: for programs, and tests, that bring their own [`Embedder`]. It stays, for it
    /// could not be loaded again.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub async fn insert(&self, name: &str, embedder: Arc<dyn Embedder>) -> std::io::Result<()> {
        let queue = self.shelf.start(embedder)?;
        self.shelf.lock().put(canonical(name), queue, true);
        Ok(())
    }

    /// The model by catalogue id, alias or folder; fetched and loaded the first time. Loading goes on when the caller hangs
    /// up meanwhile: the next one finds the model ready.
    ///
    /// # Errors
    /// There is no such model, its files cannot be had or are wrong, or the device is missing; [`EmbedError::Busy`] when its
    /// memory is taken by models that are at work.
    pub async fn get(&self, name: &str) -> Result<Arc<EmbedQueue>, EmbedError> {
        let name = canonical(name);
        if let Some(queue) = self.shelf.lock().find(name) {
            return Ok(queue);
        }
        let (shelf, name) = (Arc::clone(&self.shelf), name.to_owned());
        let loading = tokio::spawn(async move { shelf.load_once(&name).await });
        loading.await.map_err(|_| EmbedError::Forward("loading the model panicked".into()))?
    }

    /// What is loaded now, by the name it was asked for with. Never waits for a model.
    pub async fn loaded(&self) -> Vec<(String, ModelInfo)> {
        let table = self.shelf.lock();
        let mut all: Vec<_> =
            table.models.iter().map(|(name, model)| (name.clone(), model.queue.info().clone())).collect();
        drop(table);
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    /// Forgets the kept vectors of these very texts: an erasure is not complete without it.
    pub fn purge_texts(&self, texts: &[String]) {
        self.shelf.cache.purge_texts(texts);
    }

    /// Forgets all kept vectors.
    pub fn clear_cache(&self) {
        self.shelf.cache.clear();
    }
}

/// One name for a catalogue model, so that its aliases share its memory.
fn canonical(name: &str) -> &str {
    catalogue().find(name).map_or(name, |model| model.id.as_str())
}

struct Shelf {
    loader: Box<dyn Loader>,
    queue: QueueSettings,
    limit: Option<u64>,
    cache: Arc<VectorCache>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    models: HashMap<String, Loaded>,
    /// Held while a model of this name is loaded.
    gates: HashMap<String, Arc<tokio::sync::Mutex<()>>>,
    /// Of models that are being loaded.
    reserved_bytes: u64,
    /// Counts look-ups: the clock of "least recently used".
    n_found: u64,
}

struct Loaded {
    queue: Arc<EmbedQueue>,
    last_found: u64,
    stays: bool,
}

impl Table {
    fn find(&mut self, name: &str) -> Option<Arc<EmbedQueue>> {
        self.n_found += 1;
        let model = self.models.get_mut(name)?;
        model.last_found = self.n_found;
        Some(Arc::clone(&model.queue))
    }

    fn put(&mut self, name: &str, queue: Arc<EmbedQueue>, stays: bool) {
        self.n_found += 1;
        self.models.insert(name.to_owned(), Loaded { queue, last_found: self.n_found, stays });
        self.tell();
    }

    /// Only this table hands a queue out, and its lock is held: nobody can begin to use a model that is idle now.
    fn residents(&self) -> Vec<Resident> {
        let resident = |(name, model): (&String, &Loaded)| Resident {
            name: name.clone(),
            bytes: model.queue.info().weight_bytes as u64,
            last_found: model.last_found,
            idle: !model.stays && Arc::strong_count(&model.queue) == 1,
        };
        self.models.iter().map(resident).collect()
    }

    fn tell(&self) {
        let bytes: u64 = self.residents().iter().map(|model| model.bytes).sum();
        metrics::gauge!("clientele_models_bytes").set(bytes as f64);
        metrics::gauge!("clientele_models_loaded").set(self.models.len() as f64);
    }
}

impl Shelf {
    /// No code panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, embedder: Arc<dyn Embedder>) -> std::io::Result<Arc<EmbedQueue>> {
        EmbedQueue::start(embedder, Arc::clone(&self.cache), self.queue.clone()).map(Arc::new)
    }

    /// Loads the model unless somebody else just did.
    async fn load_once(self: Arc<Self>, name: &str) -> Result<Arc<EmbedQueue>, EmbedError> {
        let gate = Arc::clone(self.lock().gates.entry(name.to_owned()).or_default());
        let turn = gate.lock().await;
        let found = self.lock().find(name);
        let result = match found {
            Some(queue) => Ok(queue),
            None => {
                let (shelf, wanted) = (Arc::clone(&self), name.to_owned());
                let load = tokio::task::spawn_blocking(move || shelf.load(&wanted)).await;
                load.unwrap_or_else(|_| Err(EmbedError::Forward("loading the model panicked".into())))
            }
        };
        drop(turn);
        let mut table = self.lock();
        // Gates are handed out under this lock: where only the table and we have it, nobody waits at it.
        if Arc::strong_count(&gate) == 2 {
            table.gates.remove(name);
        }
        result
    }

    fn load(self: &Arc<Self>, name: &str) -> Result<Arc<EmbedQueue>, EmbedError> {
        let (files, bytes) = self.loader.locate(name)?;
        let reserved = self.make_room(name, bytes)?;
        let embedder = self.loader.load(&files)?;
        let queue =
            self.start(embedder).map_err(|error| EmbedError::Device(format!("no thread for the model: {error}")))?;
        metrics::counter!("clientele_models_loads_total", "model" => queue.info().id.clone()).increment(1);
        let mut table = self.lock();
        table.put(name, Arc::clone(&queue), false);
        drop(table);
        drop(reserved);
        Ok(queue)
    }

    /// Lets idle models go until this one fits, the least recently used first. Their memory comes back when their threads
    /// end, which is at once.
    fn make_room(self: &Arc<Self>, name: &str, bytes: u64) -> Result<Reserved, EmbedError> {
        let mut table = self.lock();
        if let Some(limit) = self.limit {
            let Some(leaving) = room::who_leaves(table.residents(), table.reserved_bytes, bytes, limit) else {
                tracing::warn!(model = name, bytes, limit, "no room for the model {name}: the loaded ones are at work");
                return Err(EmbedError::Busy { retry_after: NO_ROOM });
            };
            for leaver in leaving.iter().filter_map(|name| table.models.remove(name)) {
                let id = leaver.queue.info().id.clone();
                tracing::info!(model = id, "the model {id} makes room for {name}");
                metrics::counter!("clientele_models_evictions_total", "model" => id).increment(1);
            }
        }
        table.reserved_bytes += bytes;
        Ok(Reserved { shelf: Arc::clone(self), bytes })
    }
}

/// Memory promised to a model that is being loaded; given back when it is there, or failed.
struct Reserved {
    shelf: Arc<Shelf>,
    bytes: u64,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.shelf.lock().reserved_bytes -= self.bytes;
    }
}

/// The catalogue, its sources, and folders.
struct Folders(ModelSettings);

impl Loader for Folders {
    fn locate(&self, name: &str) -> Result<(Resolved, u64), EmbedError> {
        let model = super::resolve(name, &self.0.models_dir, self.0.offline)?;
        let weights = super::folder::ModelFolder::read(&model.folder)?.weights;
        let bytes = weights.iter().filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum();
        Ok((model, bytes))
    }

    fn load(&self, model: &Resolved) -> Result<Arc<dyn Embedder>, EmbedError> {
        let model = super::load(&model.folder, &model.load_settings(self.0.device, self.0.precision))?;
        let info = model.info();
        tracing::info!(
            model = info.id,
            device = info.device,
            precision = info.precision.name(),
            dimension = info.dimension,
            max_tokens = info.max_tokens,
            "model {} runs on {} in {}",
            info.id,
            info.device,
            info.precision
        );
        Ok(Arc::new(model))
    }
}
