//! The models of a process: loaded when first asked for, then kept, one owner thread each.

use super::{DeviceChoice, EmbedError, EmbedQueue, Embedder, ModelInfo, PrecisionChoice};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Mutex;

/// How models are found and run.
#[derive(Debug, Clone, Default)]
pub struct ModelSettings {
    /// Where model folders lie and pulled ones land.
    pub models_dir: PathBuf,
    pub device: DeviceChoice,
    pub precision: PrecisionChoice,
    /// Never fetch: use what is in `models_dir`, or fail.
    pub offline: bool,
}

/// All models of a process.
pub struct Models {
    settings: ModelSettings,
    loaded: Mutex<HashMap<String, Arc<EmbedQueue>>>,
}

impl Models {
    pub fn new(settings: ModelSettings) -> Self {
        Self { settings, loaded: Mutex::default() }
    }

    /// Adds a model under a name of its own: for programs, and tests, that bring their own [`Embedder`].
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub async fn insert(&self, name: &str, embedder: Arc<dyn Embedder>) -> std::io::Result<()> {
        self.loaded.lock().await.insert(name.to_owned(), Arc::new(EmbedQueue::start(embedder)?));
        Ok(())
    }

    /// The model by catalogue id, alias or folder; fetched and loaded the first time.
    ///
    /// # Errors
    /// There is no such model, its files cannot be had or are wrong, or the device is missing.
    pub async fn get(&self, name: &str) -> Result<Arc<EmbedQueue>, EmbedError> {
        // Held while a model loads: two callers never load the same one twice.
        let mut loaded = self.loaded.lock().await;
        if let Some(queue) = loaded.get(name) {
            return Ok(Arc::clone(queue));
        }
        let (settings, wanted) = (self.settings.clone(), name.to_owned());
        let load = move || open(&settings, &wanted);
        let queue =
            tokio::task::spawn_blocking(load).await.map_err(|error| EmbedError::Forward(error.to_string()))??;
        let queue = Arc::new(queue);
        loaded.insert(name.to_owned(), Arc::clone(&queue));
        Ok(queue)
    }

    /// What is loaded now, by the name it was asked for with.
    pub async fn loaded(&self) -> Vec<(String, ModelInfo)> {
        let loaded = self.loaded.lock().await;
        let mut all: Vec<_> = loaded.iter().map(|(name, queue)| (name.clone(), queue.info().clone())).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }
}

fn open(settings: &ModelSettings, name: &str) -> Result<EmbedQueue, EmbedError> {
    let resolved = super::resolve(name, &settings.models_dir, settings.offline)?;
    let model = super::load(&resolved.folder, &resolved.load_settings(settings.device, settings.precision))?;
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
    EmbedQueue::start(Arc::new(model)).map_err(|error| EmbedError::Device(format!("no thread for the model: {error}")))
}
