//! The queue in front of a model: any number of callers, one owner, batches by tokens.
//!
//! A request is split into its texts; the model's thread takes them by the batch ([`waiting`] says in which order) and a
//! request is answered when its last text is done. What does not fit is refused at once, with the time after which it would;
//! what nobody waits for any more is never computed.

mod figures;
mod lane;
mod plan;
mod speed;
#[cfg(test)]
mod tests;
mod waiting;
mod worker;

use super::cache::{Space, VectorCache};
use super::{EmbedError, Embedder, Embeddings, ModelInfo, Output, TokenIds};
use plan::Plan;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use worker::Shared;

/// Who waits for the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// A person or a request on somebody's hot path.
    Interactive,
    /// A job.
    Bulk,
}

impl Lane {
    /// As figures are labelled.
    pub fn name(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Bulk => "bulk",
        }
    }
}

/// What is asked of the model, and for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    pub lane: Lane,
    pub output: Output,
    /// The answer is worth nothing after this moment.
    pub deadline: Option<Instant>,
}

/// How much waits, and how it is cut into batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSettings {
    /// Tokens and texts that may wait in each lane.
    pub capacity_tokens: usize,
    pub capacity_texts: usize,
    /// Tokens of a batch at most, however fast the model is; and at least, however slow, where so many wait.
    pub max_batch_tokens: usize,
    pub min_batch_tokens: usize,
    /// What a batch should take at the model's speed: who comes in waits for one before their turn.
    pub batch_time: Duration,
    /// Bulk work that has waited so long has every other batch, however much interactive work there is.
    pub max_wait: Duration,
}

impl Default for QueueSettings {
    fn default() -> Self {
        let n_threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            capacity_tokens: 262_144,
            capacity_texts: 16_384,
            max_batch_tokens: 4_096 * n_threads,
            min_batch_tokens: 512,
            batch_time: Duration::from_millis(250),
            max_wait: Duration::from_millis(500),
        }
    }
}

/// Texts that are tokenised in one go, and their bytes: an interactive text waits for one such piece of a bulk request.
const PIECE_TEXTS: usize = 64;
const PIECE_BYTES: usize = 1 << 18;

/// A model with its thread; dropping it ends the thread once what waits is done.
pub struct EmbedQueue {
    shared: Arc<Shared>,
    embedder: Arc<dyn Embedder>,
    cache: Arc<VectorCache>,
    space: Space,
}

impl EmbedQueue {
    /// # Errors
    /// The operating system gives no thread.
    pub fn start(
        embedder: Arc<dyn Embedder>,
        cache: Arc<VectorCache>,
        settings: QueueSettings,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::new(settings, &embedder.info().id));
        let (model, theirs) = (Arc::clone(&embedder), Arc::clone(&shared));
        std::thread::Builder::new().name("model".into()).spawn(move || worker::work(theirs, &*model))?;
        let space = Space::of(embedder.info());
        Ok(Self { shared, embedder, cache, space })
    }

    pub fn info(&self) -> &ModelInfo {
        self.embedder.info()
    }

    /// Tokens of the texts, in their order, made off the async runtime's threads; `prefix` goes before each, None is the
    /// model's own.
    ///
    /// # Errors
    /// [`EmbedError::Forward`] when the tokeniser fails.
    pub async fn tokenize(&self, texts: Vec<String>, prefix: Option<String>) -> Result<Vec<TokenIds>, EmbedError> {
        let prefix: Option<Arc<str>> = prefix.map(Arc::from);
        let mut tokens = Vec::with_capacity(texts.len());
        let mut texts = texts.into_iter();
        loop {
            let piece = next_piece(&mut texts);
            if piece.is_empty() {
                return Ok(tokens);
            }
            let (embedder, prefix) = (Arc::clone(&self.embedder), prefix.clone());
            let work = move || {
                let piece: Vec<&str> = piece.iter().map(String::as_str).collect();
                crate::compute::for_tokens(|| embedder.tokenize(&piece, prefix.as_deref()))
            };
            tokens.extend(off_runtime(work, "the tokeniser panicked").await??);
        }
    }

    /// What the model makes of the tokens, in their order: a row a text, pooled and not normalised, or a row a token.
    ///
    /// # Errors
    /// [`EmbedError::Busy`] at once when the queue is full; [`EmbedError::BadTokens`] when the model cannot take these;
    /// [`EmbedError::DeadlinePassed`]; [`EmbedError::Forward`] when the model fails.
    pub async fn forward(&self, ask: Ask, tokens: Vec<TokenIds>) -> Result<Vec<f32>, EmbedError> {
        // One bad text would fail the whole batch, and so its neighbours.
        check(self.info(), &tokens)?;
        if tokens.is_empty() {
            return Ok(Vec::new());
        }
        let answered = self.wait(ask.deadline, self.admit(ask, tokens)?).await;
        if matches!(answered, Err(EmbedError::DeadlinePassed)) {
            self.shared.figures.deadline_passed();
        }
        answered
    }

    fn admit(&self, ask: Ask, tokens: Vec<TokenIds>) -> Result<oneshot::Receiver<waiting::Answer>, EmbedError> {
        let (n_texts, now) = (tokens.len(), Instant::now());
        let n_tokens = tokens.iter().map(|text| text.ids.len()).sum();
        let mut waiting = self.shared.lock();
        self.check_room(&mut waiting, ask.lane, (n_texts, n_tokens))?;
        let answered = waiting.admit(ask, tokens, now)?;
        self.shared.figures.depth(&waiting);
        drop(waiting);
        self.shared.wake();
        Ok(answered)
    }

    /// Refuses what does not fit, but not for the sake of somebody who has gone.
    fn check_room(
        &self,
        waiting: &mut waiting::Waiting,
        lane: Lane,
        (n_texts, n_tokens): (usize, usize),
    ) -> Result<(), EmbedError> {
        if waiting.closed {
            return Err(gone());
        }
        if waiting.room(lane, n_texts, n_tokens).is_ok() {
            return Ok(());
        }
        self.shared.figures.dropped(waiting.sweep(Instant::now()));
        waiting.room(lane, n_texts, n_tokens).inspect_err(|_| self.shared.figures.refused(lane))
    }

    /// The answer, or the deadline even while the model is at work; what waits then is dropped with the receiver.
    async fn wait(
        &self,
        deadline: Option<Instant>,
        answered: oneshot::Receiver<waiting::Answer>,
    ) -> Result<Vec<f32>, EmbedError> {
        let answer = match deadline {
            Some(deadline) => tokio::time::timeout_at(deadline.into(), answered).await,
            None => Ok(answered.await),
        };
        answer.map_err(|_| EmbedError::DeadlinePassed)?.map_err(|_| gone())?
    }

    /// Vectors of the texts, in their order, with the model's own prefix; of unit length if the model's are. A text that was
    /// asked for before, or twice in this call, is not computed again while the cache has room for it.
    ///
    /// # Errors
    /// As the two steps.
    pub async fn embed(&self, lane: Lane, texts: Vec<String>) -> Result<Embeddings, EmbedError> {
        let (cache, space) = (Arc::clone(&self.cache), self.space.clone());
        let (mut plan, missing) = off_runtime(move || Plan::new(&cache, &space, texts), "hashing panicked").await?;
        if !missing.is_empty() {
            // Tokenising for nothing is spared to both; a text has one token at least.
            self.check_room(&mut self.shared.lock(), lane, (missing.len(), missing.len()))?;
            let tokens = self.tokenize(missing, None).await?;
            let told = plan::tell(&tokens);
            let ask = Ask { lane, output: Output::Pooled, deadline: None };
            let rows = self.forward(ask, tokens).await?;
            plan.fill(&self.cache, &self.space, rows.chunks_exact(self.info().dimension.max(1)).zip(told));
        }
        Ok(plan.embeddings(self.info()))
    }
}

impl Drop for EmbedQueue {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.wake();
    }
}

fn gone() -> EmbedError {
    EmbedError::Forward("the model's thread is gone".into())
}

async fn off_runtime<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
    panicked: &str,
) -> Result<T, EmbedError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| EmbedError::Forward(panicked.to_owned()))
}

/// As many texts as are tokenised in one go, at least one.
fn next_piece(texts: &mut std::vec::IntoIter<String>) -> Vec<String> {
    let (mut piece, mut bytes) = (Vec::new(), 0);
    while piece.len() < PIECE_TEXTS && bytes < PIECE_BYTES {
        let Some(text) = texts.next() else { break };
        bytes += text.len();
        piece.push(text);
    }
    piece
}

/// What [`Embedder::forward`] asks of every text.
fn check(info: &ModelInfo, tokens: &[TokenIds]) -> Result<(), EmbedError> {
    for (text, TokenIds { ids, .. }) in tokens.iter().enumerate() {
        let bad = |why: String| Err(EmbedError::BadTokens { text, why });
        if ids.is_empty() || ids.len() > info.max_tokens {
            return bad(format!("has {} tokens, and {} takes 1 to {}", ids.len(), info.id, info.max_tokens));
        }
        if let Some(id) = ids.iter().find(|&&id| id as usize >= info.vocabulary_size) {
            return bad(format!(
                "has the token {id}, and the tokens of {} are below {}",
                info.id, info.vocabulary_size
            ));
        }
    }
    Ok(())
}
