//! How fast the model is just now, and what follows from it: how large a batch may be so that nobody waits long for its end,
//! and when who was refused may come back.

use std::time::Duration;

/// After this much work an earlier measurement counts a third (1/e) of what it did.
const MEMORY: Duration = Duration::from_secs(5);
/// Assumed of a model that has done nothing yet, in tokens a second.
const UNMEASURED: f64 = 2_000.0;
const SOONEST: u64 = 1;
const LATEST: u64 = 60;

/// An exponentially weighted mean over the model's working time; idle time does not count.
#[derive(Debug, Default)]
pub struct Speed {
    tokens: f64,
    seconds: f64,
}

impl Speed {
    /// Takes in a batch that is done.
    pub fn note(&mut self, n_tokens: usize, took: Duration) {
        let kept = (-took.as_secs_f64() / MEMORY.as_secs_f64()).exp();
        self.tokens = self.tokens * kept + n_tokens as f64;
        self.seconds = self.seconds * kept + took.as_secs_f64();
    }

    pub fn tokens_per_second(&self) -> f64 {
        let measured = self.tokens / self.seconds;
        if measured.is_finite() && measured > 0.0 { measured } else { UNMEASURED }
    }

    /// Tokens that take about this long.
    pub fn tokens_in(&self, time: Duration) -> usize {
        (self.tokens_per_second() * time.as_secs_f64()) as usize
    }

    /// When this many tokens are done, in whole seconds between 1 and 60.
    pub fn time_for(&self, n_tokens: usize) -> Duration {
        let seconds = (n_tokens as f64 / self.tokens_per_second()).ceil() as u64;
        Duration::from_secs(seconds.clamp(SOONEST, LATEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_steady_model_is_measured_at_its_speed_and_a_faster_one_soon_after() {
        let mut speed = Speed::default();
        (0..20).for_each(|_| speed.note(500, Duration::from_millis(500)));
        assert!((speed.tokens_per_second() - 1_000.0).abs() < 1e-6);
        assert_eq!(speed.time_for(2_500), Duration::from_secs(3));
        (0..50).for_each(|_| speed.note(5_000, Duration::from_millis(500)));
        assert!(speed.tokens_per_second() > 9_500.0);
    }

    proptest! {
        #[test]
        fn whatever_was_measured_the_figures_are_usable(
            batches in prop::collection::vec((0usize..100_000, 0u64..5_000_000), 0..20),
            waiting in 0usize..usize::MAX,
        ) {
            let mut speed = Speed::default();
            for (n_tokens, micros) in batches {
                speed.note(n_tokens, Duration::from_micros(micros));
            }
            prop_assert!(speed.tokens_per_second().is_finite() && speed.tokens_per_second() > 0.0);
            let seconds = speed.time_for(waiting).as_secs();
            prop_assert!((1..=60).contains(&seconds));
            prop_assert_eq!(speed.time_for(waiting).subsec_nanos(), 0);
        }
    }
}
