//! Models come and go: what one of them does keeps nobody from another.

use super::super::{Lane, Output, Pooling, Precision, TokenIds};
use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// One byte, one token; a text's vector is its length.
struct Lengths(ModelInfo);

impl Lengths {
    fn new(name: &str, weight_bytes: usize) -> Arc<Self> {
        Arc::new(Self(ModelInfo {
            id: name.into(),
            fingerprint: name.into(),
            dimension: 1,
            max_tokens: 8,
            pooling: Pooling::Mean,
            normalised: false,
            prefix: String::new(),
            prompts: Default::default(),
            matryoshka_dimensions: Vec::new(),
            tokens: None,
            device: "cpu".into(),
            precision: Precision::F32,
            weight_bytes,
            vocabulary_size: 256,
        }))
    }
}

impl Embedder for Lengths {
    fn info(&self) -> &ModelInfo {
        &self.0
    }

    fn tokenize(&self, texts: &[&str], _: Option<&str>) -> Result<Vec<TokenIds>, EmbedError> {
        let tokens = |text: &&str| TokenIds { ids: text.bytes().map(u32::from).collect(), truncated: false };
        Ok(texts.iter().map(tokens).collect())
    }

    fn forward(&self, texts: &[&TokenIds], _: Output) -> Result<Vec<f32>, EmbedError> {
        Ok(texts.iter().map(|text| text.ids.len() as f32).collect())
    }
}

/// A model's bytes are told by its name; "slow" waits for a word before it is there, and "missing" never is.
struct Fake {
    n_loads: Arc<AtomicUsize>,
    begun: mpsc::SyncSender<()>,
    go: Mutex<mpsc::Receiver<()>>,
}

impl Loader for Fake {
    fn locate(&self, name: &str) -> Result<(Resolved, u64), EmbedError> {
        if name == "missing" {
            return Err(EmbedError::Unknown { id: name.into(), known: String::new() });
        }
        let model = Resolved {
            folder: PathBuf::new(),
            id: name.to_owned(),
            fingerprint: None,
            pooling: None,
            prefix: None,
            max_tokens: None,
            normalise: None,
        };
        Ok((model, name.rsplit('-').next().and_then(|bytes| bytes.parse().ok()).unwrap_or(0)))
    }

    fn load(&self, model: &Resolved) -> Result<Arc<dyn Embedder>, EmbedError> {
        self.n_loads.fetch_add(1, Ordering::SeqCst);
        if model.id.starts_with("slow") {
            self.begun.send(()).unwrap();
            self.go.lock().unwrap().recv().unwrap();
        }
        assert_ne!(model.id, "panics");
        Ok(Lengths::new(&model.id, self.locate(&model.id)?.1 as usize))
    }
}

struct Bench {
    models: Arc<Models>,
    n_loads: Arc<AtomicUsize>,
    begun: mpsc::Receiver<()>,
    go: mpsc::SyncSender<()>,
}

fn bench(limit: Option<u64>) -> Bench {
    let (begun_, begun) = mpsc::sync_channel(10);
    let (go, go_) = mpsc::sync_channel(10);
    let n_loads = Arc::new(AtomicUsize::new(0));
    let loader = Fake { n_loads: Arc::clone(&n_loads), begun: begun_, go: Mutex::new(go_) };
    let models = Arc::new(Models::with(Box::new(loader), QueueSettings::default(), limit, 0));
    Bench { models, n_loads, begun, go }
}

async fn names(models: &Models) -> Vec<String> {
    models.loaded().await.into_iter().map(|(name, _)| name).collect()
}

#[tokio::test]
async fn a_model_that_loads_keeps_nobody_from_another() {
    let bench = bench(None);
    let models = Arc::clone(&bench.models);
    let slow = tokio::spawn(async move { models.get("slow").await.map(|queue| queue.info().id.clone()) });
    let begun = bench.begun;
    tokio::task::spawn_blocking(move || begun.recv().unwrap()).await.unwrap();
    let quick = bench.models.get("quick").await.unwrap();
    assert_eq!(quick.embed(Lane::Interactive, vec!["abc".into()]).await.unwrap().values, [3.0]);
    assert_eq!(names(&bench.models).await, ["quick"]);
    bench.go.send(()).unwrap();
    assert_eq!(slow.await.unwrap().unwrap(), "slow");
    assert_eq!(names(&bench.models).await, ["quick", "slow"]);
}

#[tokio::test]
async fn many_ask_at_once_and_it_is_loaded_once_even_when_the_first_hangs_up() {
    let bench = bench(None);
    let ask = || {
        let models = Arc::clone(&bench.models);
        tokio::spawn(async move { models.get("slow").await.map(|_| ()) })
    };
    let first = ask();
    let begun = bench.begun;
    tokio::task::spawn_blocking(move || begun.recv().unwrap()).await.unwrap();
    let others: Vec<_> = (0..5).map(|_| ask()).collect();
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    bench.go.send(()).unwrap();
    for other in others {
        other.await.unwrap().unwrap();
    }
    assert_eq!(bench.n_loads.load(Ordering::SeqCst), 1);
    assert!(bench.models.shelf.lock().gates.is_empty());
}

#[tokio::test]
async fn what_fails_to_load_leaves_nothing_behind() {
    let bench = bench(Some(10));
    assert!(matches!(bench.models.get("missing").await, Err(EmbedError::Unknown { .. })));
    assert!(matches!(bench.models.get("panics").await, Err(EmbedError::Forward(_))));
    let table = bench.models.shelf.lock();
    assert!(table.gates.is_empty() && table.models.is_empty());
    assert_eq!(table.reserved_bytes, 0);
}

#[tokio::test]
async fn the_idle_model_that_was_not_used_for_longest_makes_room() {
    let bench = bench(Some(10));
    for name in ["a-4", "b-4", "a-4", "c-4"] {
        drop(bench.models.get(name).await.unwrap());
    }
    assert_eq!(names(&bench.models).await, ["a-4", "c-4"]);
    drop(bench.models.get("huge-99").await.unwrap());
    assert_eq!(names(&bench.models).await, ["huge-99"]);
    drop(bench.models.get("a-4").await.unwrap());
    assert_eq!(names(&bench.models).await, ["a-4"]);
    assert_eq!(bench.n_loads.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn a_model_at_work_stays_and_the_other_is_asked_to_wait() {
    let bench = bench(Some(10));
    let at_work = bench.models.get("a-8").await.unwrap();
    assert!(matches!(bench.models.get("b-8").await, Err(EmbedError::Busy { .. })));
    assert_eq!(at_work.embed(Lane::Bulk, vec!["ab".into()]).await.unwrap().values, [2.0]);
    drop(at_work);
    assert!(bench.models.get("b-8").await.is_ok());
    assert_eq!(names(&bench.models).await, ["b-8"]);
}

#[tokio::test]
async fn a_model_that_was_brought_stays_and_an_alias_finds_it() {
    let bench = bench(Some(10));
    let known = catalogue().models().iter().find(|model| !model.aliases.is_empty()).unwrap();
    bench.models.insert(&known.aliases[0], Lengths::new("brought", 8)).await.unwrap();
    assert_eq!(bench.models.get(known.id.as_str()).await.unwrap().info().id, "brought");
    assert!(matches!(bench.models.get("b-8").await, Err(EmbedError::Busy { .. })));
    assert_eq!(names(&bench.models).await, [known.id.as_str()]);
}
