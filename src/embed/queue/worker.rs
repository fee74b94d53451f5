//! The thread that owns a model: batch after batch, whatever the model does.

use super::super::{EmbedError, Embedder, Output};
use super::QueueSettings;
use super::figures::Figures;
use super::waiting::{Batch, Waiting};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What callers and the model's thread have in common.
pub struct Shared {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    pub figures: Figures,
}

impl Shared {
    pub fn new(settings: QueueSettings, model: &str) -> Self {
        Self { waiting: Mutex::new(Waiting::new(settings)), wake: Condvar::new(), figures: Figures::new(model) }
    }

    /// No code panics while it holds the lock; should one, what waits is still whole.
    pub fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// The next batch that somebody waits for; None when the queue is closed and empty.
    fn next(&self) -> Option<Batch> {
        let mut waiting = self.lock();
        loop {
            let now = Instant::now();
            self.figures.dropped(waiting.sweep(now));
            let batch = waiting.next_batch(now);
            self.figures.depth(&waiting);
            if batch.is_some() || waiting.closed {
                return batch;
            }
            waiting = self.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Whatever ends the thread, nobody goes on waiting for it.
struct OnExit(Arc<Shared>);

impl Drop for OnExit {
    fn drop(&mut self) {
        self.0.lock().close();
    }
}

/// Computes batches until the queue is closed and empty.
pub fn work(shared: Arc<Shared>, embedder: &dyn Embedder) {
    crate::compute::step_back();
    let shared = OnExit(shared);
    while let Some(batch) = shared.0.next() {
        serve(&shared.0, embedder, batch);
    }
}

/// Computes one batch. A model that fails or panics answers those of the batch with an error, and its thread goes on.
fn serve(shared: &Shared, embedder: &dyn Embedder, batch: Batch) {
    let started = Instant::now();
    shared.figures.started(&batch, started);
    match forward(embedder, &batch) {
        Ok(values) => {
            shared.figures.computed(&batch);
            let finished = shared.lock().complete(batch, &values, embedder.info().dimension, started.elapsed());
            finished.into_iter().for_each(super::waiting::Finished::answer);
        }
        Err(why) => {
            tracing::error!(why, n_texts = batch.items.len(), "a batch failed: {why}");
            shared.lock().fail(&batch, &why);
        }
    }
}

fn forward(embedder: &dyn Embedder, batch: &Batch) -> Result<Vec<f32>, String> {
    let texts: Vec<_> = batch.items.iter().map(|item| &item.tokens).collect();
    let work = || crate::compute::for_model(|| embedder.forward(&texts, batch.output));
    let values = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(values)) => values,
        Ok(Err(EmbedError::Forward(why))) => return Err(why),
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err("the forward pass panicked".into()),
    };
    let n_rows = if batch.output == Output::Tokens { batch.n_tokens() } else { batch.items.len() };
    let expected = n_rows * embedder.info().dimension;
    if values.len() == expected { Ok(values) } else { Err(format!("gave {} numbers, not {expected}", values.len())) }
}
