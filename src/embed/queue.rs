//! The thread that owns a model, behind a bounded queue with two lanes.
//!
//! Interactive requests go first; bulk work comes in chunks, so that an interactive request waits for one chunk at most. What
//! does not fit is refused at once. A request whose caller is gone by the time its turn comes is never computed.

use super::{EmbedError, Embedder, Embeddings, ModelInfo, Output, TokenIds};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Who waits for the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// A person or a request on somebody's hot path.
    Interactive,
    /// A job.
    Bulk,
}

/// What is asked of the model, and for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    pub lane: Lane,
    pub output: Output,
    /// The answer is worth nothing after this moment.
    pub deadline: Option<Instant>,
}

/// Texts that may wait, all lanes together.
const CAPACITY_TEXTS: usize = 8_192;

struct Entry {
    texts: Vec<TokenIds>,
    ask: Ask,
    asked_at: Instant,
    answer: oneshot::Sender<Result<Vec<f32>, EmbedError>>,
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
    embedder: Arc<dyn Embedder>,
    info: ModelInfo,
}

impl EmbedQueue {
    /// # Errors
    /// The operating system gives no thread.
    pub fn start(embedder: Arc<dyn Embedder>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let info = embedder.info().clone();
        let (queue, model, id) = (Arc::clone(&shared), Arc::clone(&embedder), info.id.clone());
        std::thread::Builder::new().name("model".into()).spawn(move || {
            crate::compute::step_back();
            while let Some(entry) = queue.next() {
                serve(&*model, &id, entry);
            }
        })?;
        Ok(Self { shared, embedder, info })
    }

    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Tokens of the texts, in their order, made off the async runtime's threads; `prefix` goes before each, None is the
    /// model's own.
    ///
    /// # Errors
    /// [`EmbedError::Forward`] when the tokeniser fails.
    pub async fn tokenize(&self, texts: Vec<String>, prefix: Option<String>) -> Result<Vec<TokenIds>, EmbedError> {
        let embedder = Arc::clone(&self.embedder);
        let work = move || {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            embedder.tokenize(&texts, prefix.as_deref())
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|_| EmbedError::Forward("the tokeniser panicked".into()))?
    }

    /// What the model makes of the tokens, in their order: a row a text, pooled and not normalised, or a row a token.
    ///
    /// # Errors
    /// [`EmbedError::Busy`] at once when the queue is full; [`EmbedError::DeadlinePassed`]; [`EmbedError::Forward`] when the
    /// model fails or does not take these tokens.
    pub async fn forward(&self, ask: Ask, tokens: Vec<TokenIds>) -> Result<Vec<f32>, EmbedError> {
        let (answer, answered) = oneshot::channel();
        {
            let mut waiting = self.shared.lock();
            // A request larger than the whole queue is taken when nothing else waits.
            if waiting.n_texts > 0 && waiting.n_texts + tokens.len() > CAPACITY_TEXTS {
                metrics::counter!("clientele_embed_refused_total", "model" => self.info.id.clone()).increment(1);
                return Err(EmbedError::Busy { retry_after: Duration::from_secs(1) });
            }
            waiting.n_texts += tokens.len();
            let entry = Entry { texts: tokens, ask, asked_at: Instant::now(), answer };
            match ask.lane {
                Lane::Interactive => waiting.interactive.push_back(entry),
                Lane::Bulk => waiting.bulk.push_back(entry),
            }
        }
        self.shared.wake.notify_one();
        answered.await.map_err(|_| EmbedError::Forward("the model's thread is gone".into()))?
    }

    /// Vectors of the texts, in their order, with the model's own prefix; of unit length if the model's are.
    ///
    /// # Errors
    /// As the two steps.
    pub async fn embed(&self, lane: Lane, texts: Vec<String>) -> Result<Embeddings, EmbedError> {
        let tokens = self.tokenize(texts, None).await?;
        let n_tokens = tokens.iter().map(|text| text.ids.len()).sum();
        let n_truncated = tokens.iter().filter(|text| text.truncated).count();
        let mut values = self.forward(Ask { lane, output: Output::Pooled, deadline: None }, tokens).await?;
        self.info.finish(&mut values);
        Ok(Embeddings { dimension: self.info.dimension, values, n_tokens, n_truncated })
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
    if entry.ask.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
        let _ = entry.answer.send(Err(EmbedError::DeadlinePassed));
        return;
    }
    let texts: Vec<&TokenIds> = entry.texts.iter().collect();
    let work = || crate::compute::for_model(|| embedder.forward(&texts, entry.ask.output));
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(EmbedError::Forward("the forward pass panicked".into())));
    let label = id.to_owned();
    metrics::histogram!("clientele_embed_wait_seconds", "model" => label.clone()).record(waited.as_secs_f64());
    if result.is_ok() {
        let n_tokens: usize = texts.iter().map(|text| text.ids.len()).sum();
        let n_truncated = texts.iter().filter(|text| text.truncated).count();
        metrics::counter!("clientele_embed_texts_total", "model" => label.clone()).increment(texts.len() as u64);
        metrics::counter!("clientele_embed_tokens_total", "model" => label.clone()).increment(n_tokens as u64);
        metrics::counter!("clientele_embed_truncated_total", "model" => label).increment(n_truncated as u64);
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

        fn tokenize(&self, texts: &[&str], _: Option<&str>) -> Result<Vec<TokenIds>, EmbedError> {
            Ok(texts.iter().map(|text| tokens(text)).collect())
        }

        fn forward(&self, texts: &[&TokenIds], _: Output) -> Result<Vec<f32>, EmbedError> {
            let first: String = texts[0].ids.iter().filter_map(|&id| char::from_u32(id)).collect();
            self.seen.send(first.clone()).unwrap();
            self.go.lock().unwrap_or_else(PoisonError::into_inner).recv().unwrap();
            assert_ne!(first, "panic");
            Ok(texts.iter().map(|text| text.ids.len() as f32).collect())
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
            prompts: std::collections::BTreeMap::new(),
            matryoshka_dimensions: Vec::new(),
            tokens: None,
            device: "cpu".into(),
            precision: super::super::Precision::F32,
            weight_bytes: 0,
            vocabulary_size: 256,
        };
        let queue = EmbedQueue::start(Arc::new(Gate { info, seen, go: Mutex::new(gate) })).unwrap();
        (Arc::new(queue), asked, go)
    }

    fn tokens(text: &str) -> TokenIds {
        TokenIds { ids: text.bytes().map(u32::from).collect(), truncated: false }
    }

    fn ask(
        queue: &Arc<EmbedQueue>,
        lane: Lane,
        text: &str,
        n: usize,
    ) -> tokio::task::JoinHandle<Result<Vec<f32>, EmbedError>> {
        let (queue, tokens) = (Arc::clone(queue), vec![tokens(text); n]);
        let ask = Ask { lane, output: Output::Pooled, deadline: None };
        tokio::spawn(async move { queue.forward(ask, tokens).await })
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
        assert!(matches!(queue.embed(Lane::Interactive, vec!["late".into()]).await, Err(EmbedError::Busy { .. })));
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
