//! Who works on a batch: one thread, or several on its parts.
//!
//! With batches enough for every thread, each goes through the model alone: nobody waits for anybody, and a busy neighbour costs
//! its share and no more. A lone short text is shared, since somebody waits for it. Its steps take tens of microseconds, so those
//! who share it look for the next step instead of sleeping; but nobody is waited for who has not begun: a thread that the
//! operating system keeps from running holds nothing up.

#![expect(unsafe_code, reason = "threads of a crew call a closure that the leader's stack holds")]

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

/// How the independent items of a step are worked on.
#[derive(Clone, Copy)]
pub enum Team<'a> {
    /// By the calling thread, in order.
    Alone,
    /// By whoever of the crew is there.
    Together(&'a Crew),
}

impl Team<'_> {
    /// Calls `work` once for every item of `0..n`, and returns when all are done.
    #[inline]
    pub fn each(self, n: usize, work: impl Fn(usize) + Sync) {
        match self {
            Self::Together(crew) if n > 1 => crew.each(n, &work),
            _ => (0..n).for_each(work),
        }
    }
}

/// A leader, and the threads that help it with one step after the other.
///
/// A step is open while `step` is odd. A helper says that it is in before it looks whether the step is open, and the leader
/// shuts the step before it looks whether anybody is in: so either the helper sees that it is too late, or the leader sees
/// the helper and waits until it is out.
pub struct Crew {
    step: AtomicUsize,
    next_item: AtomicUsize,
    n_in: AtomicUsize,
    over: AtomicBool,
    /// Written by the leader alone, while the step is shut and nobody is in.
    job: UnsafeCell<Job>,
}

#[derive(Clone, Copy)]
struct Job {
    n: usize,
    work: *const (dyn Fn(usize) + Sync),
}

// SAFETY: `job` is read by helpers that are in an open step and written by the leader when there is none; the rest is atomic.
unsafe impl Sync for Crew {}

impl Crew {
    /// Runs `lead` with a crew of the calling thread's pool.
    pub fn gather<R: Send>(lead: impl FnOnce(&Self) -> R + Send) -> R {
        let nothing: &'static (dyn Fn(usize) + Sync) = &|_| ();
        let crew = Self {
            step: AtomicUsize::new(0),
            next_item: AtomicUsize::new(0),
            n_in: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            job: UnsafeCell::new(Job { n: 0, work: nothing }),
        };
        rayon::scope(|scope| {
            for _ in 1..rayon::current_num_threads() {
                scope.spawn(|_| crew.help());
            }
            let _end = OnDrop(|| crew.over.store(true, SeqCst));
            lead(&crew)
        })
    }

    fn each(&self, n: usize, work: &(dyn Fn(usize) + Sync)) {
        // SAFETY: the pointer is followed only inside this call, which `shut` ends when nobody is in any more. Only the lifetime
        // is changed.
        let work = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), &'static (dyn Fn(usize) + Sync)>(work) };
        // SAFETY: the step is shut and nobody is in: `each` is called by the leader alone, and ends so.
        unsafe { *self.job.get() = Job { n, work } };
        self.next_item.store(0, SeqCst);
        self.step.fetch_add(1, SeqCst);
        let _shut = OnDrop(|| self.shut());
        self.take_items(n, work);
    }

    /// Shuts the step and waits for those who are in.
    fn shut(&self) {
        self.step.fetch_add(1, SeqCst);
        let mut patience = Patience::default();
        while self.n_in.load(SeqCst) != 0 {
            patience.wait();
        }
    }

    fn take_items(&self, n: usize, work: &(dyn Fn(usize) + Sync)) {
        loop {
            let item = self.next_item.fetch_add(1, SeqCst);
            if item >= n {
                return;
            }
            work(item);
        }
    }

    fn help(&self) {
        let mut seen = 0;
        let mut patience = Patience::default();
        while !self.over.load(SeqCst) {
            let step = self.step.load(SeqCst);
            if step == seen || step.is_multiple_of(2) {
                patience.wait();
                continue;
            }
            self.n_in.fetch_add(1, SeqCst);
            let _out = OnDrop(|| _ = self.n_in.fetch_sub(1, SeqCst));
            if self.step.load(SeqCst) == step {
                // SAFETY: this helper is in and the step is open, so the leader neither writes the job nor leaves `each`.
                let Job { n, work } = unsafe { *self.job.get() };
                // SAFETY: as above; the closure lives until `each` returns.
                self.take_items(n, unsafe { &*work });
            }
            seen = step;
            patience = Patience::default();
        }
    }
}

/// Looks again at once for some ten microseconds, then lets others run in between.
#[derive(Default)]
struct Patience(u32);

impl Patience {
    fn wait(&mut self) {
        if self.0 < 500 {
            self.0 += 1;
            std::hint::spin_loop();
        } else {
            std::thread::yield_now();
        }
    }
}

/// Does something at the end of a scope, on a panic too.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_of_every_step_is_worked_on_once() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
        for n in [0usize, 1, 2, 7, 100] {
            let counts: Vec<AtomicUsize> = (0..n).map(|_| AtomicUsize::new(0)).collect();
            pool.install(|| {
                Crew::gather(|crew| {
                    for step in 1..=200 {
                        Team::Together(crew).each(n, |item| _ = counts[item].fetch_add(1, SeqCst));
                        assert!(counts.iter().all(|count| count.load(SeqCst) == step));
                    }
                });
            });
        }
    }

    #[test]
    fn a_crew_whose_threads_are_busy_elsewhere_gets_on_alone() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let done = AtomicBool::new(false);
        pool.scope(|scope| {
            scope.spawn(|_| {
                let sum = AtomicUsize::new(0);
                Crew::gather(|crew| {
                    Team::Together(crew).each(10, |item| _ = sum.fetch_add(item, SeqCst));
                    // The other thread is let go only after the step is over: had the step waited for it, this would hang.
                    done.store(true, SeqCst);
                });
                assert_eq!(sum.load(SeqCst), 45);
            });
            scope.spawn(|_| {
                while !done.load(SeqCst) {
                    std::thread::yield_now();
                }
            });
        });
    }

    #[test]
    fn a_panic_in_an_item_reaches_the_caller_and_hangs_nobody() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        for bad in [0usize, 5, 63] {
            let run = || {
                pool.install(|| Crew::gather(|crew| Team::Together(crew).each(64, |item| assert_ne!(item, bad))));
            };
            assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err());
        }
    }
}
