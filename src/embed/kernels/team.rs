//! Who works on a batch: one thread, or all of them on its parts.
//!
//! With batches enough for every thread, each goes through the model alone: nobody waits for anybody, and a busy neighbour costs
//! its share and no more. A lone short text is shared, since somebody waits for it.

use rayon::prelude::*;

/// How the independent items of a step are worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Team {
    /// By the calling thread, in order.
    Alone,
    /// By all threads of the calling thread's pool.
    Together,
}

impl Team {
    /// Calls `work` once for every item of `0..n`, and returns when all are done.
    #[inline]
    pub fn each(self, n: usize, work: impl Fn(usize) + Sync) {
        match self {
            Self::Alone => (0..n).for_each(work),
            Self::Together => (0..n).into_par_iter().with_max_len(1).for_each(|item| work(item)),
        }
    }
}
