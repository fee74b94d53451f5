//! The thread that owns a model, behind a bounded queue with two lanes.
//!
//! Interactive requests go first; bulk work comes in chunks, so that an interactive request waits for one chunk at most. What
//! does not fit is refused at once. A request whose caller is gone by the time its turn comes is never computed.

use super::{EmbedError, Embedder, Embeddings, ModelInfo};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::oneshot;

/// Who waits for the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// A person or a request on somebody's hot path.
    Interactive,
    /// A job.
    Bulk,
}

/// Texts that may wait, all lanes together.
const CAPACITY_TEXTS: usize = 8_192;

struct Entry {
    texts: Vec<String>,
    asked_at: Instant,
    answer: oneshot::Sender<Result<Embeddings, EmbedError>>,
}

#[derive(Default)]
struct Waiting {
    interactive: VecDeque<Entry>,
    bulk: VecDeque<Entry>,
    n_texts: usize,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next entry somebody still waits for; nothing when the queue is closed and empty.
    fn next(&self) -> Option<Entry> {
        let mut waiting = self.lock();
        loop {
            while let Some(entry) = waiting.interactive.pop_front().or_else(|| waiting.bulk.pop_front()) {
                waiting.n_texts -= entry.texts.len();
                if !entry.answer.is_closed() {
                    return Some(entry);
                }
            }
            if waiting.closed {
                return None;
            }
            waiting = self.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A model with its thread; dropping it ends the thread once what waits is done.
pub struct EmbedQueue {
    shared: Arc<Shared>,
    info: ModelInfo,
}

impl EmbedQueue {
    /// # Errors
    /// The operating system gives no thread.
    pub fn start(embedder: Arc<dyn Embedder>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let info = embedder.info().clone();
        let (queue, id) = (Arc::clone(&shared), info.id.clone());
        std::thread::Builder::new().name("model".into()).spawn(move || {
            crate::compute::step_back();
            while let Some(entry) = queue.next() {
                serve(&*embedder, &id, entry);
            }
        })?;
        Ok(Self { shared, info })
    }

    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Vectors of the texts, in their order.
    ///
    /// # Errors
    /// [`EmbedError::Busy`] at once when the queue is full; [`EmbedError::Forward`] when the model fails.
    pub async fn embed(&self, lane: Lane, texts: Vec<String>) -> Result<Embeddings, EmbedError> {
        let (answer, answered) = oneshot::channel();
        {
            let mut waiting = self.shared.lock();
            // A request larger than the whole queue is taken when nothing else waits.
            if waiting.n_texts > 0 && waiting.n_texts + texts.len() > CAPACITY_TEXTS {
                metrics::counter!("clientele_embed_refused_total", "model" => self.info.id.clone()).increment(1);
                return Err(EmbedError::Busy);
            }
            waiting.n_texts += texts.len();
            let entry = Entry { texts, asked_at: Instant::now(), answer };
            match lane {
                Lane::Interactive => waiting.interactive.push_back(entry),
                Lane::Bulk => waiting.bulk.push_back(entry),
            }
        }
        self.shared.wake.notify_one();
        answered.await.map_err(|_| EmbedError::Forward("the model's thread is gone".into()))?
    }
}

impl Drop for EmbedQueue {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.wake.notify_one();
    }
}

/// Computes one entry. A model that panics answers with an error, and its thread goes on.
fn serve(embedder: &dyn Embedder, id: &str, entry: Entry) {
    let waited = entry.asked_at.elapsed();
    let texts: Vec<&str> = entry.texts.iter().map(String::as_str).collect();
    let work = || crate::compute::for_model(|| embedder.embed(&texts));
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(EmbedError::Forward("the forward pass panicked".into())));
    let label = id.to_owned();
    metrics::histogram!("clientele_embed_wait_seconds", "model" => label.clone()).record(waited.as_secs_f64());
    if let Ok(embeddings) = &result {
        metrics::counter!("clientele_embed_texts_total", "model" => label.clone()).increment(texts.len() as u64);
        metrics::counter!("clientele_embed_tokens_total", "model" => label.clone())
            .increment(embeddings.n_tokens as u64);
        metrics::counter!("clientele_embed_truncated_total", "model" => label).increment(embeddings.n_truncated as u64);
    }
    // The caller may have gone meanwhile; then nobody misses the answer.
    let _ = entry.answer.send(result);
}

#[cfg(test)]
mod tests {
    use super::super::{Output, Pooling, TokenIds};
    use super::*;
    use std::sync::mpsc;

    /// Answers with the length of each text, says what it was asked, and goes on only when told to.
    struct Gate {
        info: ModelInfo,
        seen: mpsc::SyncSender<String>,
        go: Mutex<mpsc::Receiver<()>>,
    }

    impl Embedder for Gate {
        fn info(&self) -> &ModelInfo {
            &self.info
        }

        fn tokenize(&self, _: &[&str], _: Option<&str>) -> Result<Vec<TokenIds>, EmbedError> {
            unreachable!("embed below does without")
        }

        fn forward(&self, _: &[&TokenIds], _: Output) -> Result<Vec<f32>, EmbedError> {
            unreachable!("embed below does without")
        }

        fn embed(&self, texts: &[&str]) -> Result<Embeddings, EmbedError> {
            self.seen.send(texts[0].to_owned()).unwrap();
            self.go.lock().unwrap_or_else(PoisonError::into_inner).recv().unwrap();
            assert_ne!(texts[0], "panic");
            let values = texts.iter().map(|text| text.len() as f32).collect();
            Ok(Embeddings { dimension: 1, values, n_tokens: texts.len(), n_truncated: 0 })
        }
    }

    fn gate() -> (Arc<EmbedQueue>, mpsc::Receiver<String>, mpsc::SyncSender<()>) {
        let (seen, asked) = mpsc::sync_channel(100);
        let (go, gate) = mpsc::sync_channel(100);
        let info = ModelInfo {
            id: "gate".into(),
            fingerprint: "gate".into(),
            dimension: 1,
            max_tokens: 8,
            pooling: Pooling::Mean,
            normalised: false,
            prefix: String::new(),
            device: "cpu".into(),
            precision: super::super::Precision::F32,
            weight_bytes: 0,
        };
        let queue = EmbedQueue::start(Arc::new(Gate { info, seen, go: Mutex::new(gate) })).unwrap();
        (Arc::new(queue), asked, go)
    }

    fn ask(
        queue: &Arc<EmbedQueue>,
        lane: Lane,
        text: &str,
        n: usize,
    ) -> tokio::task::JoinHandle<Result<Embeddings, EmbedError>> {
        let (queue, texts) = (Arc::clone(queue), vec![text.to_owned(); n]);
        tokio::spawn(async move { queue.embed(lane, texts).await })
    }

    /// Lets spawned tasks run until they wait.
    async fn settle() {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn an_interactive_request_overtakes_waiting_bulk_work() {
        let (queue, asked, go) = gate();
        let first = ask(&queue, Lane::Bulk, "bulk one", 1);
        settle().await;
        assert_eq!(asked.recv().unwrap(), "bulk one");
        let second = ask(&queue, Lane::Bulk, "bulk two", 1);
        settle().await;
        let quick = ask(&queue, Lane::Interactive, "quick", 1);
        settle().await;
        (0..3).for_each(|_| go.send(()).unwrap());
        assert_eq!((asked.recv().unwrap().as_str(), asked.recv().unwrap().as_str()), ("quick", "bulk two"));
        for handle in [first, second, quick] {
            handle.await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once_and_recovers() {
        let (queue, asked, go) = gate();
        let first = ask(&queue, Lane::Bulk, "first", 1);
        settle().await;
        asked.recv().unwrap();
        let full = ask(&queue, Lane::Bulk, "full", CAPACITY_TEXTS);
        settle().await;
        assert!(matches!(queue.embed(Lane::Interactive, vec!["late".into()]).await, Err(EmbedError::Busy)));
        (0..3).for_each(|_| go.send(()).unwrap());
        first.await.unwrap().unwrap();
        full.await.unwrap().unwrap();
        assert_eq!(queue.embed(Lane::Interactive, vec!["again".into()]).await.unwrap().values, [5.0]);
    }

    #[tokio::test]
    async fn who_hung_up_is_not_computed() {
        let (queue, asked, go) = gate();
        let first = ask(&queue, Lane::Bulk, "first", 1);
        settle().await;
        asked.recv().unwrap();
        let gone = ask(&queue, Lane::Interactive, "gone", 1);
        settle().await;
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        let last = ask(&queue, Lane::Interactive, "last", 1);
        settle().await;
        (0..2).for_each(|_| go.send(()).unwrap());
        first.await.unwrap().unwrap();
        last.await.unwrap().unwrap();
        assert_eq!(asked.recv().unwrap(), "last");
    }

    #[tokio::test]
    async fn a_model_that_panics_answers_with_an_error_and_goes_on() {
        let (queue, _asked, go) = gate();
        (0..2).for_each(|_| go.send(()).unwrap());
        assert!(matches!(queue.embed(Lane::Bulk, vec!["panic".into()]).await, Err(EmbedError::Forward(_))));
        assert!(queue.embed(Lane::Bulk, vec!["fine".into()]).await.is_ok());
    }
}
