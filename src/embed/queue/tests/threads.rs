//! The model's thread: a model that says what it was asked, and goes on only when told to.

use super::*;
use std::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

const BULK: Ask = Ask { lane: Lane::Bulk, output: Output::Pooled, deadline: None };
const INTERACTIVE: Ask = Ask { lane: Lane::Interactive, ..BULK };

struct Gate {
    info: ModelInfo,
    seen: mpsc::SyncSender<Vec<String>>,
    go: Mutex<mpsc::Receiver<()>>,
}

fn text(tokens: &TokenIds) -> String {
    tokens.ids.iter().filter_map(|&id| char::from_u32(id)).collect()
}

impl Embedder for Gate {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn tokenize(&self, texts: &[&str], prefix: Option<&str>) -> Result<Vec<TokenIds>, EmbedError> {
        assert!(!texts.contains(&"untokenisable"));
        let prefix = prefix.unwrap_or_default();
        Ok(texts.iter().map(|text| tokens(&format!("{prefix}{text}"))).collect())
    }

    fn forward(&self, texts: &[&TokenIds], output: Output) -> Result<Vec<f32>, EmbedError> {
        let seen: Vec<String> = texts.iter().map(|tokens| text(tokens)).collect();
        self.seen.send(seen.clone()).unwrap();
        self.go.lock().unwrap_or_else(std::sync::PoisonError::into_inner).recv().unwrap();
        assert_ne!(seen[0], "panic");
        match seen[0].as_str() {
            "short" => Ok(vec![0.0]),
            "device" => Err(EmbedError::Device("is gone".into())),
            _ => Ok(vectors(texts, output)),
        }
    }
}

struct Bench {
    queue: Arc<EmbedQueue>,
    cache: Arc<VectorCache>,
    seen: mpsc::Receiver<Vec<String>>,
    go: mpsc::SyncSender<()>,
}

impl Bench {
    fn new(cache_bytes: usize) -> Self {
        let (seen_, seen) = mpsc::sync_channel(1_000);
        let (go, go_) = mpsc::sync_channel(1_000);
        let model = Gate { info: info(), seen: seen_, go: Mutex::new(go_) };
        let cache = Arc::new(VectorCache::new(cache_bytes));
        let settings = QueueSettings { capacity_texts: 10, ..QueueSettings::default() };
        let queue = EmbedQueue::start(Arc::new(model), Arc::clone(&cache), settings).unwrap();
        Self { queue: Arc::new(queue), cache, seen, go }
    }

    /// Lets this many batches through, now or later.
    fn let_through(&self, n: usize) {
        (0..n).for_each(|_| self.go.send(()).unwrap());
    }

    /// Asks, and comes back when the request waits in the queue.
    async fn ask(&self, ask: Ask, texts: &[&str]) -> JoinHandle<Result<Vec<f32>, EmbedError>> {
        let before = self.queue.shared.lock().n_asked();
        let (queue, tokens) = (Arc::clone(&self.queue), texts.iter().map(|text| tokens(text)).collect());
        let handle = tokio::spawn(async move { queue.forward(ask, tokens).await });
        while self.queue.shared.lock().n_asked() == before {
            tokio::task::yield_now().await;
        }
        handle
    }

    /// A first batch that the model is at work on.
    async fn at_work(&self) -> JoinHandle<Result<Vec<f32>, EmbedError>> {
        let first = self.ask(BULK, &["first"]).await;
        assert_eq!(self.seen.recv().unwrap(), ["first"]);
        first
    }
}

fn rows(texts: &[&str]) -> Vec<f32> {
    let tokens: Vec<_> = texts.iter().map(|text| tokens(text)).collect();
    vectors(&tokens.iter().collect::<Vec<_>>(), Output::Pooled)
}

#[tokio::test]
async fn an_interactive_request_overtakes_waiting_bulk_work() {
    let bench = Bench::new(0);
    let first = bench.at_work().await;
    let second = bench.ask(BULK, &["bulk two"]).await;
    let quick = bench.ask(INTERACTIVE, &["quick"]).await;
    bench.let_through(3);
    assert_eq!(
        (bench.seen.recv().unwrap(), bench.seen.recv().unwrap()),
        (vec!["quick".into()], vec!["bulk two".into()])
    );
    assert_eq!(first.await.unwrap().unwrap(), rows(&["first"]));
    assert_eq!(second.await.unwrap().unwrap(), rows(&["bulk two"]));
    assert_eq!(quick.await.unwrap().unwrap(), rows(&["quick"]));
}

#[tokio::test]
async fn requests_that_wait_share_a_batch_and_each_has_its_own_rows() {
    let bench = Bench::new(0);
    let first = bench.at_work().await;
    let (a, b) = (bench.ask(INTERACTIVE, &["a", "bb"]).await, bench.ask(INTERACTIVE, &["ccc"]).await);
    bench.let_through(2);
    assert_eq!(bench.seen.recv().unwrap(), ["a", "bb", "ccc"]);
    assert_eq!(a.await.unwrap().unwrap(), rows(&["a", "bb"]));
    assert_eq!(b.await.unwrap().unwrap(), rows(&["ccc"]));
    first.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_recovers() {
    let bench = Bench::new(0);
    let first = bench.at_work().await;
    let full = bench.ask(INTERACTIVE, &["full"; 10]).await;
    let late = bench.queue.forward(INTERACTIVE, vec![tokens("late")]).await;
    assert!(matches!(late, Err(EmbedError::Busy { retry_after }) if retry_after >= Duration::from_secs(1)));
    assert!(matches!(bench.queue.embed(Lane::Interactive, vec!["late".into()]).await, Err(EmbedError::Busy { .. })));
    bench.let_through(3);
    first.await.unwrap().unwrap();
    full.await.unwrap().unwrap();
    assert_eq!(bench.queue.forward(INTERACTIVE, vec![tokens("again")]).await.unwrap(), rows(&["again"]));
}

#[tokio::test]
async fn who_hung_up_is_not_computed_and_takes_no_room() {
    let bench = Bench::new(0);
    let first = bench.at_work().await;
    let gone = bench.ask(INTERACTIVE, &["gone"; 10]).await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    let last = bench.ask(INTERACTIVE, &["last"]).await;
    bench.let_through(2);
    assert_eq!(bench.seen.recv().unwrap(), ["last"]);
    first.await.unwrap().unwrap();
    last.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_deadline_is_kept_while_the_model_is_at_work_and_the_late_are_not_computed() {
    let bench = Bench::new(0);
    let first = bench.at_work().await;
    let late = bench.queue.forward(Ask { deadline: Some(Instant::now()), ..INTERACTIVE }, vec![tokens("late")]).await;
    assert!(matches!(late, Err(EmbedError::DeadlinePassed)));
    let in_time = Ask { deadline: Some(Instant::now() + Duration::from_secs(3_600)), ..INTERACTIVE };
    let in_time = bench.ask(in_time, &["in time"]).await;
    bench.let_through(2);
    assert_eq!(bench.seen.recv().unwrap(), ["in time"]);
    assert_eq!(in_time.await.unwrap().unwrap(), rows(&["in time"]));
    first.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_model_that_breaks_fails_its_batch_alone() {
    for bad in ["panic", "short", "device"] {
        let bench = Bench::new(0);
        let first = bench.at_work().await;
        let broken = bench.ask(INTERACTIVE, &[bad]).await;
        let other = bench.ask(BULK, &["other"]).await;
        bench.let_through(3);
        assert!(matches!(broken.await.unwrap(), Err(EmbedError::Forward(_))), "{bad}");
        assert_eq!(other.await.unwrap().unwrap(), rows(&["other"]));
        first.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn tokens_the_model_cannot_take_are_refused_before_they_reach_a_neighbour() {
    let bench = Bench::new(0);
    for ids in [vec![], vec![1; 65], vec![256], vec![u32::MAX]] {
        let bad = vec![tokens("fine"), TokenIds { ids, truncated: false }];
        let refused = bench.queue.forward(INTERACTIVE, bad).await;
        assert!(matches!(refused, Err(EmbedError::BadTokens { text: 1, .. })), "{refused:?}");
    }
    assert!(bench.queue.forward(INTERACTIVE, vec![]).await.unwrap().is_empty());
    assert!(bench.queue.embed(Lane::Bulk, vec![]).await.unwrap().values.is_empty());
}

#[tokio::test]
async fn a_tokeniser_that_panics_is_an_error_and_the_next_call_works() {
    let bench = Bench::new(0);
    assert!(matches!(bench.queue.tokenize(vec!["untokenisable".into()], None).await, Err(EmbedError::Forward(_))));
    let many: Vec<String> = (0..200).map(|i| format!("text {i}")).collect();
    let found = bench.queue.tokenize(many.clone(), Some("query: ".into())).await.unwrap();
    let wanted: Vec<TokenIds> = many.iter().map(|text| tokens(&format!("query: {text}"))).collect();
    assert_eq!(found, wanted);
}

#[tokio::test]
async fn a_queue_that_is_dropped_ends_its_thread() {
    let bench = Bench::new(0);
    let Bench { queue, seen, .. } = bench;
    drop(queue);
    // The model, and with it this channel's other end, goes with the thread.
    assert!(seen.recv().is_err());
}

#[tokio::test]
async fn a_text_that_comes_again_is_not_computed_again_until_it_is_purged() {
    let bench = Bench::new(1 << 20);
    bench.let_through(10);
    let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    bench.queue.embed(Lane::Bulk, texts(&["a", "bb", "a"])).await.unwrap();
    assert_eq!(bench.seen.recv().unwrap(), ["a", "bb"]);
    bench.queue.embed(Lane::Interactive, texts(&["bb", "ccc", "a"])).await.unwrap();
    assert_eq!(bench.seen.recv().unwrap(), ["ccc"]);
    bench.queue.embed(Lane::Bulk, texts(&["ccc", "bb"])).await.unwrap();
    bench.cache.purge_texts(&texts(&["bb"]));
    bench.queue.embed(Lane::Bulk, texts(&["ccc", "bb"])).await.unwrap();
    assert_eq!(bench.seen.recv().unwrap(), ["bb"]);
    assert!(bench.seen.try_recv().is_err());
}

#[tokio::test]
async fn a_cache_changes_nothing_about_the_answers() {
    let long = "x".repeat(100);
    let asks: [&[&str]; 4] = [&["a", "bb", "a", ""], &[&long, "a"], &["", &long, &long], &["bb"]];
    let asks = asks.map(|texts| texts.iter().map(|text| format!("<{text}>")).collect::<Vec<_>>());
    let mut answers = Vec::new();
    for cache_bytes in [0, 200, 1 << 20] {
        let bench = Bench::new(cache_bytes);
        bench.let_through(100);
        let mut all = Vec::new();
        for texts in asks.iter().chain(&asks) {
            all.push(bench.queue.embed(Lane::Bulk, texts.clone()).await.unwrap());
        }
        answers.push(all);
    }
    assert!(answers.iter().all(|all| *all == answers[0]));
    let first = &answers[0][0];
    assert!(first.rows().all(|row| (row.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5), "unit length");
    assert_eq!((first.n_tokens, first.n_truncated, answers[0][2].n_truncated), (3 + 4 + 3 + 2, 0, 2));
}
