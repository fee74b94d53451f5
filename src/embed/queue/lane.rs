//! What waits in one lane, oldest first, and which of it goes into a batch together.
//!
//! Texts of like length make the best batches, so bulk work is sorted, within a window of the oldest texts alone: who comes
//! later never overtakes the window. Each batch is built around the oldest text that waits. What a window leaves over goes
//! into the first batch of the next. So sorting costs a text the rest of its window at most, and one batch.

use super::super::{Output, TokenIds};
use std::collections::VecDeque;
use std::time::Instant;

/// Batches' worth of tokens that are sorted together.
const WINDOW_BATCHES: usize = 4;
/// Texts of a window at most, so that choosing a batch stays quick however short the texts are.
const WINDOW_TEXTS: usize = 4_096;

/// One text of a request.
#[derive(Debug)]
pub struct Item {
    /// Which request it belongs to, and its place there.
    pub request: u64,
    pub place: usize,
    pub tokens: TokenIds,
    pub output: Output,
    pub since: Instant,
}

impl Item {
    fn length(&self) -> usize {
        self.tokens.ids.len()
    }
}

/// In which order a lane's texts go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Arrival,
    /// By length, within the window.
    Length,
}

#[derive(Debug)]
pub struct LaneQueue {
    items: VecDeque<Item>,
    n_tokens: usize,
    order: Order,
    /// How many of the oldest texts form the window, and how many of those an earlier window left over.
    window: usize,
    left_over: usize,
}

impl LaneQueue {
    pub fn new(order: Order) -> Self {
        Self { items: VecDeque::new(), n_tokens: 0, order, window: 0, left_over: 0 }
    }

    pub fn n_texts(&self) -> usize {
        self.items.len()
    }

    pub fn n_tokens(&self) -> usize {
        self.n_tokens
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Since when the oldest text waits.
    pub fn oldest(&self) -> Option<Instant> {
        self.items.front().map(|item| item.since)
    }

    pub fn push(&mut self, item: Item) {
        self.n_tokens += item.length();
        self.items.push_back(item);
    }

    /// Forgets every text that is not to be kept; says how many went.
    pub fn retain(&mut self, keep: impl Fn(&Item) -> bool) -> usize {
        let before = self.items.len();
        let in_window = |from: usize, to: usize| self.items.range(from..to).filter(|item| keep(item)).count();
        (self.left_over, self.window) = (in_window(0, self.left_over), in_window(0, self.window));
        self.items.retain(|item| keep(item));
        self.n_tokens = self.items.iter().map(Item::length).sum();
        before - self.items.len()
    }

    /// Takes out the next batch: texts of one kind of output, `budget` tokens together at most, or one that is longer.
    pub fn take(&mut self, budget: usize) -> Vec<Item> {
        self.move_window(budget);
        let chosen = self.choose(budget);
        let mut is_chosen = vec![false; self.window];
        chosen.iter().for_each(|&at| is_chosen[at] = true);
        let (mut batch, mut rest) = (Vec::with_capacity(chosen.len()), VecDeque::new());
        for (item, is_chosen) in self.items.drain(..self.window).zip(&is_chosen) {
            if *is_chosen { batch.push(item) } else { rest.push_back(item) }
        }
        let left_over = is_chosen[..self.left_over].iter().filter(|is_chosen| !**is_chosen).count();
        (self.window, self.left_over) = (rest.len(), left_over);
        rest.append(&mut self.items);
        self.items = rest;
        self.n_tokens -= batch.iter().map(Item::length).sum::<usize>();
        batch
    }

    /// Starts the next window when this one no longer fills a batch.
    fn move_window(&mut self, budget: usize) {
        let in_window: usize = self.items.iter().take(self.window).map(Item::length).sum();
        if in_window >= budget && self.order == Order::Length {
            return;
        }
        self.left_over = self.window;
        let room = if self.order == Order::Length { budget.saturating_mul(WINDOW_BATCHES) } else { budget };
        let mut n_tokens = 0;
        let fits = |item: &&Item| {
            n_tokens += item.length();
            n_tokens <= room
        };
        let n = self.items.iter().take(WINDOW_TEXTS).take_while(fits).count();
        self.window = n.max(self.left_over).max(1).min(self.items.len());
    }

    /// The places in the window of what goes into the batch, the oldest text first.
    fn choose(&self, budget: usize) -> Vec<usize> {
        let Some(oldest) = self.items.front() else { return Vec::new() };
        let mut order: Vec<usize> = (0..self.window).filter(|&at| self.items[at].output == oldest.output).collect();
        if self.order == Order::Length {
            order.sort_by_key(|&at| {
                let is_left_over = at < self.left_over;
                (!is_left_over, if is_left_over { 0 } else { self.items[at].length().abs_diff(oldest.length()) }, at)
            });
        }
        let mut n_tokens = 0;
        let fits = |&at: &usize| {
            n_tokens += self.items[at].length();
            n_tokens <= budget || at == 0
        };
        order.into_iter().take_while(fits).collect()
    }
}
