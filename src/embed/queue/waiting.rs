//! The schedule: who waits, who is refused, what the model does next. Pure but for the answers it hands out: the time is an
//! argument, and no thread is needed to see what it does.
//!
//! - Interactive work goes before bulk work. Bulk work that has waited for `max_wait` has every other batch.
//! - A batch takes about `batch_time`, so that who comes in waits for one such batch before their turn.
//! - Each lane is bounded by itself: a flood of bulk work never refuses an interactive text.
//! - Who hung up, or whose deadline passed, is taken out before the next batch, and before anybody is refused.

use super::super::{EmbedError, Output, TokenIds};
use super::lane::{Item, LaneQueue, Order};
use super::speed::Speed;
use super::{Ask, Lane, QueueSettings};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

pub type Answer = Result<Vec<f32>, EmbedError>;

/// Texts for one forward pass.
#[derive(Debug)]
pub struct Batch {
    pub lane: Lane,
    pub output: Output,
    pub items: Vec<Item>,
}

impl Batch {
    pub fn n_tokens(&self) -> usize {
        self.items.iter().map(|item| item.tokens.ids.len()).sum()
    }
}

/// A request whose rows are all there: [`Finished::answer`] hands them over, outside the lock.
#[derive(Debug)]
pub struct Finished {
    rows: Vec<Vec<f32>>,
    answer: oneshot::Sender<Answer>,
}

impl Finished {
    pub fn answer(self) {
        // The caller may have gone meanwhile; then nobody misses the answer.
        let _ = self.answer.send(Ok(self.rows.concat()));
    }
}

struct Request {
    answer: oneshot::Sender<Answer>,
    deadline: Option<Instant>,
    rows: Vec<Vec<f32>>,
    n_left: usize,
}

pub struct Waiting {
    settings: QueueSettings,
    interactive: LaneQueue,
    bulk: LaneQueue,
    /// By number, which is the order they came in.
    requests: BTreeMap<u64, Request>,
    n_asked: u64,
    speed: Speed,
    last: Lane,
    /// Nothing more is taken: the model goes, or its thread has gone.
    pub closed: bool,
}

impl Waiting {
    pub fn new(settings: QueueSettings) -> Self {
        Self {
            settings,
            interactive: LaneQueue::new(Order::Arrival),
            bulk: LaneQueue::new(Order::Length),
            requests: BTreeMap::new(),
            n_asked: 0,
            speed: Speed::default(),
            last: Lane::Interactive,
            closed: false,
        }
    }

    pub fn lane(&self, lane: Lane) -> &LaneQueue {
        match lane {
            Lane::Interactive => &self.interactive,
            Lane::Bulk => &self.bulk,
        }
    }

    fn lane_mut(&mut self, lane: Lane) -> &mut LaneQueue {
        match lane {
            Lane::Interactive => &mut self.interactive,
            Lane::Bulk => &mut self.bulk,
        }
    }

    pub fn tokens_per_second(&self) -> f64 {
        self.speed.tokens_per_second()
    }

    /// Whether so much more may wait; a request larger than the whole lane may when nothing else does.
    ///
    /// # Errors
    /// [`EmbedError::Busy`], with the time that what is ahead will take.
    pub fn room(&self, lane: Lane, n_texts: usize, n_tokens: usize) -> Result<(), EmbedError> {
        let waiting = self.lane(lane);
        let fits = waiting.n_texts().saturating_add(n_texts) <= self.settings.capacity_texts
            && waiting.n_tokens().saturating_add(n_tokens) <= self.settings.capacity_tokens;
        if waiting.is_empty() || fits {
            return Ok(());
        }
        // Bulk work that waits takes as much time again as interactive work does, at most.
        let (interactive, bulk) = (self.interactive.n_tokens(), self.bulk.n_tokens());
        let ahead = if lane == Lane::Bulk { interactive + bulk } else { interactive + bulk.min(interactive) };
        Err(EmbedError::Busy { retry_after: self.speed.time_for(ahead) })
    }

    /// Takes a request in. Its texts are those a model can take: nothing here looks at them.
    ///
    /// # Errors
    /// [`EmbedError::Busy`] where there is no room; nothing is left behind then.
    pub fn admit(
        &mut self,
        ask: Ask,
        tokens: Vec<TokenIds>,
        now: Instant,
    ) -> Result<oneshot::Receiver<Answer>, EmbedError> {
        let n_tokens = tokens.iter().map(|text| text.ids.len()).sum();
        self.room(ask.lane, tokens.len(), n_tokens)?;
        let (answer, answered) = oneshot::channel();
        let id = self.n_asked;
        self.n_asked += 1;
        let request =
            Request { answer, deadline: ask.deadline, rows: vec![Vec::new(); tokens.len()], n_left: tokens.len() };
        self.requests.insert(id, request);
        for (place, tokens) in tokens.into_iter().enumerate() {
            self.lane_mut(ask.lane).push(Item { request: id, place, tokens, output: ask.output, since: now });
        }
        Ok(answered)
    }

    /// Takes out what nobody waits for any more, and answers those whose deadline passed. Says how many texts went.
    pub fn sweep(&mut self, now: Instant) -> usize {
        let is_late = |request: &Request| request.deadline.is_some_and(|deadline| deadline <= now);
        let gone = |request: &Request| is_late(request) || request.answer.is_closed();
        let ids: BTreeSet<u64> = self.requests.iter().filter(|(_, request)| gone(request)).map(|(&id, _)| id).collect();
        for request in ids.iter().filter_map(|id| self.requests.remove(id)) {
            if is_late(&request) {
                let _ = request.answer.send(Err(EmbedError::DeadlinePassed));
            }
        }
        self.forget(&ids)
    }

    fn forget(&mut self, requests: &BTreeSet<u64>) -> usize {
        if requests.is_empty() {
            return 0;
        }
        let keep = |item: &Item| !requests.contains(&item.request);
        self.interactive.retain(keep) + self.bulk.retain(keep)
    }

    /// What the model does next; None when nothing waits.
    pub fn next_batch(&mut self, now: Instant) -> Option<Batch> {
        let lane = self.turn(now)?;
        let budget = self.budget();
        let items = self.lane_mut(lane).take(budget);
        self.last = lane;
        items.first().map(|item| item.output).map(|output| Batch { lane, output, items })
    }

    fn turn(&self, now: Instant) -> Option<Lane> {
        match (self.interactive.oldest(), self.bulk.oldest()) {
            (None, None) => None,
            (Some(_), None) => Some(Lane::Interactive),
            (None, Some(_)) => Some(Lane::Bulk),
            (Some(_), Some(bulk)) => {
                let is_due = now.saturating_duration_since(bulk) >= self.settings.max_wait;
                Some(if is_due && self.last == Lane::Interactive { Lane::Bulk } else { Lane::Interactive })
            }
        }
    }

    /// Tokens of the next batch at most.
    pub fn budget(&self) -> usize {
        let most = self.settings.max_batch_tokens;
        let least = self.settings.min_batch_tokens.min(most);
        self.speed.tokens_in(self.settings.batch_time).clamp(least, most)
    }

    /// Hands the rows of a batch to their requests; gives back those that are whole now.
    pub fn complete(&mut self, batch: Batch, values: &[f32], dimension: usize, took: Duration) -> Vec<Finished> {
        self.speed.note(batch.n_tokens(), took);
        let (mut rest, mut finished) = (values, Vec::new());
        for item in batch.items {
            let n_rows = if batch.output == Output::Tokens { item.tokens.ids.len() } else { 1 };
            let (rows, after) = rest.split_at((n_rows * dimension).min(rest.len()));
            rest = after;
            // Who hung up or was answered with an error during the batch is not here any more.
            let Some(request) = self.requests.get_mut(&item.request) else { continue };
            request.rows[item.place] = rows.to_vec();
            request.n_left -= 1;
            if request.n_left == 0
                && let Some(Request { rows, answer, .. }) = self.requests.remove(&item.request)
            {
                finished.push(Finished { rows, answer });
            }
        }
        finished
    }

    /// Answers every request of a batch that failed, and takes their other texts out.
    pub fn fail(&mut self, batch: &Batch, why: &str) {
        let ids: BTreeSet<u64> = batch.items.iter().map(|item| item.request).collect();
        for request in ids.iter().filter_map(|id| self.requests.remove(id)) {
            let _ = request.answer.send(Err(EmbedError::Forward(why.to_owned())));
        }
        self.forget(&ids);
    }

    /// Requests taken in so far.
    #[cfg(test)]
    pub fn n_asked(&self) -> u64 {
        self.n_asked
    }

    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.interactive.is_empty() && self.bulk.is_empty()
    }

    /// Forgets everybody; their callers see that the model has gone.
    pub fn close(&mut self) {
        self.closed = true;
        self.requests.clear();
        self.interactive.retain(|_| false);
        self.bulk.retain(|_| false);
    }
}
