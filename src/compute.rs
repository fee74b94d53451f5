//! The threads that numeric work runs on: as many as there are processors, each of the lowest ordinary priority, so that a fit
//! or a bulk embedding never takes a processor from a look-up that wants one for 50 microseconds.
//!
//! The model, the tokeniser and the clustering have a pool each: an interactive text is not held up behind a long clustering
//! step, nor is its tokenising behind a batch.

use rayon::ThreadPool;
use std::sync::LazyLock;
use thread_priority::{ThreadPriority, ThreadPriorityValue};

static MODEL: LazyLock<Option<ThreadPool>> = LazyLock::new(|| pool("model"));
static TOKENS: LazyLock<Option<ThreadPool>> = LazyLock::new(|| pool("tokens"));
static CLUSTERING: LazyLock<Option<ThreadPool>> = LazyLock::new(|| pool("cluster"));

/// Runs a forward pass, and the parallel loops inside it, on the model's threads.
pub fn for_model<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    run_on(&MODEL, work)
}

/// Runs tokenising, and the parallel loops inside it, on threads of its own.
pub fn for_tokens<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    run_on(&TOKENS, work)
}

/// Runs clustering work, and the parallel loops inside it, on the clustering threads.
pub fn for_clustering<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    run_on(&CLUSTERING, work)
}

/// Gives the calling thread the lowest ordinary priority (nice 19 on Linux); where that is not allowed, nothing changes.
pub fn step_back() {
    if let Ok(lowest) = ThreadPriorityValue::try_from(0u8)
        && let Err(error) = ThreadPriority::Crossplatform(lowest).set_for_current()
    {
        tracing::debug!(?error, "the thread keeps its priority");
    }
}

fn pool(name: &'static str) -> Option<ThreadPool> {
    let builder = rayon::ThreadPoolBuilder::new();
    let builder = builder.thread_name(move |i| format!("{name}-{i}")).start_handler(|_| step_back());
    builder
        .build()
        .inspect_err(|error| tracing::warn!(%error, name, "no threads of their own; using the shared ones"))
        .ok()
}

fn run_on<T: Send>(pool: &Option<ThreadPool>, work: impl FnOnce() -> T + Send) -> T {
    match pool {
        Some(pool) => pool.install(work),
        None => work(),
    }
}
