//! Vectors of texts that were asked for before: real corpora repeat themselves, and a repeated text need not be tokenised.
//!
//! One cache serves all models of a process, so that its bound is the process's and an erasure has one place to purge. A key
//! is a SHA-256 over what decides the vector (the model, how it computes, the prefix) and the text; no text is kept. Two
//! callers can tell from the time an answer takes whether somebody asked for the same text before.

use super::ModelInfo;
use hashlink::LruCache;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What an entry takes beside its numbers: the key, the links, the counts; rounded up.
const ENTRY_BYTES: usize = 160;

/// The name of one text's vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

/// All vectors that one model gives with one prefix.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Space(String);

impl Space {
    /// Vectors under the model's own prefix.
    pub fn of(info: &ModelInfo) -> Self {
        Self(format!("{:?} {} {} {:?}", info.fingerprint, info.precision, info.device, info.prefix))
    }

    fn hasher(&self) -> Sha256 {
        let mut hash = Sha256::new();
        hash.update((self.0.len() as u64).to_le_bytes());
        hash.update(&self.0);
        hash
    }

    /// The keys of the texts, in their order.
    pub fn keys<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = Key> {
        let hasher = self.hasher();
        texts.into_iter().map(move |text| Key(hasher.clone().chain_update(text).finalize().into()))
    }
}

/// A text's vector as the model pooled it, and what tokenising told of the text.
#[derive(Debug, Clone, PartialEq)]
pub struct CachedVector {
    pub row: Vec<f32>,
    pub n_tokens: usize,
    pub truncated: bool,
}

impl CachedVector {
    fn bytes(&self) -> usize {
        self.row.len() * size_of::<f32>() + ENTRY_BYTES
    }
}

/// A point in the cache's life; see [`VectorCache::put`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch(u64);

/// Bounded by bytes; what was not used for longest goes first.
pub struct VectorCache {
    capacity_bytes: usize,
    inner: Mutex<Inner>,
}

struct Inner {
    vectors: LruCache<Key, Arc<CachedVector>>,
    bytes: usize,
    spaces: HashSet<Space>,
    /// Counts purges.
    epoch: u64,
}

impl VectorCache {
    /// A capacity of 0 keeps nothing.
    pub fn new(capacity_bytes: usize) -> Self {
        let inner = Inner { vectors: LruCache::new_unbounded(), bytes: 0, spaces: HashSet::new(), epoch: 0 };
        Self { capacity_bytes, inner: Mutex::new(inner) }
    }

    /// No code panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known under these keys, and the moment of the look-up.
    pub fn get(&self, keys: &[Key]) -> (Vec<Option<Arc<CachedVector>>>, Epoch) {
        let mut inner = self.lock();
        let found = keys.iter().map(|key| inner.vectors.get(key).cloned()).collect();
        (found, Epoch(inner.epoch))
    }

    /// Keeps these vectors, unless something was purged since the look-up that missed them: their texts may have been
    /// erased meanwhile.
    pub fn put(&self, space: &Space, vectors: Vec<(Key, Arc<CachedVector>)>, looked_up: Epoch) {
        let mut inner = self.lock();
        if self.capacity_bytes == 0 || Epoch(inner.epoch) != looked_up {
            return;
        }
        if !inner.spaces.contains(space) {
            inner.spaces.insert(space.clone());
        }
        for (key, vector) in vectors {
            inner.insert(key, vector);
        }
        inner.shrink_to(self.capacity_bytes);
        inner.tell();
    }

    /// Forgets the vectors of these very texts, under every model and prefix.
    pub fn purge_texts(&self, texts: &[String]) {
        let mut inner = self.lock();
        inner.epoch += 1;
        let spaces: Vec<Space> = inner.spaces.iter().cloned().collect();
        for key in spaces.iter().flat_map(|space| space.keys(texts.iter().map(String::as_str))) {
            inner.remove(&key);
        }
        inner.tell();
    }

    /// Forgets everything.
    pub fn clear(&self) {
        let mut inner = self.lock();
        inner.epoch += 1;
        inner.vectors.clear();
        inner.bytes = 0;
        inner.tell();
    }

    /// Bytes that the vectors take now.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }
}

impl Inner {
    fn insert(&mut self, key: Key, vector: Arc<CachedVector>) {
        self.bytes += vector.bytes();
        if let Some(before) = self.vectors.insert(key, vector) {
            self.bytes -= before.bytes();
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some(vector) = self.vectors.remove(key) {
            self.bytes -= vector.bytes();
        }
    }

    fn shrink_to(&mut self, capacity_bytes: usize) {
        while self.bytes > capacity_bytes
            && let Some((_, vector)) = self.vectors.remove_lru()
        {
            self.bytes -= vector.bytes();
        }
    }

    fn tell(&self) {
        metrics::gauge!("clientele_embed_cache_bytes").set(self.bytes as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn space(name: &str) -> Space {
        Space(name.into())
    }

    fn vector(number: u16, dimension: usize) -> Arc<CachedVector> {
        Arc::new(CachedVector { row: vec![f32::from(number); dimension], n_tokens: 1, truncated: false })
    }

    fn key(space: &Space, text: &str) -> Key {
        space.keys([text]).next().unwrap()
    }

    fn get(cache: &VectorCache, space: &Space, text: &str) -> Option<Arc<CachedVector>> {
        cache.get(&[key(space, text)]).0.remove(0)
    }

    fn put(cache: &VectorCache, space: &Space, text: &str, vector: Arc<CachedVector>) {
        let (_, epoch) = cache.get(&[]);
        cache.put(space, vec![(key(space, text), vector)], epoch);
    }

    #[test]
    fn spaces_and_texts_do_not_run_into_each_other() {
        let pairs = [("a", "bc"), ("ab", "c"), ("", "abc"), ("abc", "")];
        let keys: HashSet<Key> = pairs.iter().map(|(name, text)| key(&space(name), text)).collect();
        assert_eq!(keys.len(), pairs.len());
    }

    #[test]
    fn a_purge_forgets_the_text_under_every_space_and_nothing_else() {
        let cache = VectorCache::new(1 << 20);
        let spaces = [space("one"), space("two")];
        for space in &spaces {
            put(&cache, space, "erased", vector(1, 4));
            put(&cache, space, "kept", vector(2, 4));
        }
        cache.purge_texts(&["erased".into(), "never seen".into()]);
        for space in &spaces {
            assert_eq!(get(&cache, space, "erased"), None);
            assert_eq!(get(&cache, space, "kept"), Some(vector(2, 4)));
        }
        cache.clear();
        assert_eq!((cache.bytes(), get(&cache, &spaces[0], "kept")), (0, None));
    }

    #[test]
    fn a_vector_whose_text_may_have_been_erased_meanwhile_is_not_kept() {
        let cache = VectorCache::new(1 << 20);
        let one = space("one");
        let (_, epoch) = cache.get(&[key(&one, "erased")]);
        cache.purge_texts(&["erased".into()]);
        cache.put(&one, vec![(key(&one, "erased"), vector(1, 4))], epoch);
        assert_eq!(get(&cache, &one, "erased"), None);
    }

    #[test]
    fn what_was_used_last_stays_longest() {
        let one = space("one");
        let cache = VectorCache::new(2 * vector(0, 8).bytes());
        put(&cache, &one, "a", vector(1, 8));
        put(&cache, &one, "b", vector(2, 8));
        assert!(get(&cache, &one, "a").is_some());
        put(&cache, &one, "c", vector(3, 8));
        assert_eq!(get(&cache, &one, "b"), None);
        assert!(get(&cache, &one, "a").is_some() && get(&cache, &one, "c").is_some());
    }

    proptest! {
        #[test]
        fn it_never_gives_another_texts_vector_and_never_outgrows_its_bound(
            capacity_bytes in 0usize..3_000,
            steps in prop::collection::vec((0u8..4, 0u16..12, 0usize..40), 1..80),
        ) {
            let (cache, one) = (VectorCache::new(capacity_bytes), space("one"));
            let mut latest: HashMap<u16, Arc<CachedVector>> = HashMap::new();
            for (what, text, dimension) in steps {
                let name = text.to_string();
                match what {
                    0 => { cache.purge_texts(&[name]); latest.remove(&text); }
                    1 | 2 => {
                        put(&cache, &one, &name, vector(text, dimension));
                        latest.insert(text, vector(text, dimension));
                    }
                    _ => if let Some(found) = get(&cache, &one, &name) { prop_assert_eq!(Some(&found), latest.get(&text)); },
                }
                let held: usize = (0..12).filter_map(|text| get(&cache, &one, &text.to_string())).map(|v| v.bytes()).sum();
                prop_assert_eq!(cache.bytes(), held);
                prop_assert!(held <= capacity_bytes);
            }
        }
    }
}
