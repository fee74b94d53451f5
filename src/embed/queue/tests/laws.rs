//! What holds whatever comes in, in whatever order.

use super::super::lane::{Item, LaneQueue, Order};
use super::super::waiting::{Answer, Batch, Waiting};
use super::*;
use proptest::prelude::*;
use std::collections::HashSet;

const SETTINGS: QueueSettings = QueueSettings {
    capacity_tokens: 300,
    capacity_texts: 30,
    max_batch_tokens: 64,
    min_batch_tokens: 16,
    batch_time: Duration::from_millis(100),
    max_wait: Duration::from_millis(500),
};

#[derive(Debug, Clone)]
enum Step {
    Ask { lane: Lane, output: Output, lengths: Vec<usize>, deadline_ms: Option<u64> },
    HangUp(usize),
    Work { fails: bool, took_ms: u64 },
    Pass { ms: u64 },
}

fn lane() -> impl Strategy<Value = Lane> + Clone {
    prop_oneof![Just(Lane::Interactive), Just(Lane::Bulk)]
}

fn step() -> impl Strategy<Value = Step> {
    let output = prop_oneof![4 => Just(Output::Pooled), 1 => Just(Output::Tokens)];
    let deadline_ms = prop_oneof![3 => Just(None), 1 => (0u64..1_000).prop_map(Some)];
    let ask = (lane(), output, prop::collection::vec(1usize..60, 1..8), deadline_ms)
        .prop_map(|(lane, output, lengths, deadline_ms)| Step::Ask { lane, output, lengths, deadline_ms });
    prop_oneof![
        4 => ask,
        1 => any::<usize>().prop_map(Step::HangUp),
        4 => (prop::bool::weighted(0.15), 0u64..200).prop_map(|(fails, took_ms)| Step::Work { fails, took_ms }),
        1 => (0u64..400).prop_map(|ms| Step::Pass { ms }),
    ]
}

/// A request as the test knows it; `answered` is None once its caller hung up.
struct Asked {
    tokens: Vec<TokenIds>,
    output: Output,
    deadline: Option<Instant>,
    answered: Option<oneshot::Receiver<Answer>>,
    failed: bool,
}

/// Plays callers, clock and model.
struct Play {
    waiting: Waiting,
    now: Instant,
    asked: Vec<Asked>,
    computed: HashSet<(u64, usize)>,
}

impl Play {
    fn new() -> Self {
        Self { waiting: Waiting::new(SETTINGS), now: Instant::now(), asked: Vec::new(), computed: HashSet::new() }
    }

    fn depth(&self) -> [(usize, usize); 2] {
        [Lane::Interactive, Lane::Bulk].map(|lane| {
            let lane = self.waiting.lane(lane);
            (lane.n_texts(), lane.n_tokens())
        })
    }

    fn ask(&mut self, ask: Ask, lengths: &[usize]) {
        let n = self.asked.len();
        let text = |(at, &length): (usize, &usize)| TokenIds {
            ids: (0..length).map(|i| ((n * 7 + at * 3 + i) % 251) as u32).collect(),
            truncated: false,
        };
        let tokens: Vec<TokenIds> = lengths.iter().enumerate().map(text).collect();
        let before = self.depth();
        match self.waiting.admit(ask, tokens.clone(), self.now) {
            Ok(answered) => self.asked.push(Asked {
                tokens,
                output: ask.output,
                deadline: ask.deadline,
                answered: Some(answered),
                failed: false,
            }),
            Err(EmbedError::Busy { retry_after }) => {
                assert_eq!(self.depth(), before, "a refused request left something behind");
                assert!((1..=60).contains(&retry_after.as_secs()));
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn next_batch(&mut self) -> Option<Batch> {
        self.waiting.sweep(self.now);
        let budget = self.waiting.budget();
        let batch = self.waiting.next_batch(self.now)?;
        assert!(batch.n_tokens() <= budget || batch.items.len() == 1, "a batch over its budget");
        for item in &batch.items {
            let asked = &self.asked[item.request as usize];
            assert!(asked.answered.is_some(), "somebody who hung up is computed");
            assert!(asked.deadline.is_none_or(|deadline| deadline > self.now), "a late request is computed");
            assert_eq!((item.output, &item.tokens), (asked.output, &asked.tokens[item.place]));
            assert_eq!(item.output, batch.output);
            assert!(self.computed.insert((item.request, item.place)), "a text is computed twice");
        }
        Some(batch)
    }

    /// Says whether there was anything to do.
    fn work(&mut self, fails: bool, took_ms: u64) -> bool {
        let Some(batch) = self.next_batch() else { return false };
        self.now += Duration::from_millis(took_ms);
        if fails {
            batch.items.iter().for_each(|item| self.asked[item.request as usize].failed = true);
            self.waiting.fail(&batch, "on purpose");
            return true;
        }
        let texts: Vec<_> = batch.items.iter().map(|item| &item.tokens).collect();
        let values = vectors(&texts, batch.output);
        let finished = self.waiting.complete(batch, &values, DIMENSION, Duration::from_millis(took_ms));
        finished.into_iter().for_each(super::super::waiting::Finished::answer);
        true
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Ask { lane, output, lengths, deadline_ms } => {
                let deadline = deadline_ms.map(|ms| self.now + Duration::from_millis(ms));
                self.ask(Ask { lane, output, deadline }, &lengths);
            }
            Step::HangUp(who) if !self.asked.is_empty() => {
                let who = who % self.asked.len();
                self.asked[who].answered = None;
            }
            Step::HangUp(_) => {}
            Step::Work { fails, took_ms } => {
                self.work(fails, took_ms);
            }
            Step::Pass { ms } => self.now += Duration::from_millis(ms),
        }
    }

    fn finish(mut self) {
        while self.work(false, 10) {}
        self.waiting.sweep(self.now);
        assert!(self.waiting.is_empty(), "something is left behind");
        for asked in self.asked {
            let Some(mut answered) = asked.answered else { continue };
            let texts: Vec<_> = asked.tokens.iter().collect();
            match answered.try_recv().expect("every accepted request is answered") {
                Ok(rows) => assert_eq!(rows, vectors(&texts, asked.output)),
                Err(EmbedError::DeadlinePassed) => assert!(asked.deadline.is_some_and(|at| at <= self.now)),
                Err(EmbedError::Forward(why)) => assert!(asked.failed && why == "on purpose"),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn everybody_taken_in_is_answered_once_with_their_own_rows_in_order(steps in prop::collection::vec(step(), 1..120)) {
        let mut play = Play::new();
        steps.into_iter().for_each(|step| play.step(step));
        play.finish();
    }

    #[test]
    fn an_interactive_text_waits_for_one_bulk_batch_at_most(
        bulk in prop::collection::vec(1usize..60, 1..30), before in 0usize..6, waited_ms in 0u64..2_000,
    ) {
        let mut play = Play::new();
        play.ask(Ask { lane: Lane::Bulk, output: Output::Pooled, deadline: None }, &bulk);
        play.now += Duration::from_millis(waited_ms);
        (0..before).for_each(|_| { play.work(false, 100); });
        play.ask(Ask { lane: Lane::Interactive, output: Output::Pooled, deadline: None }, &[3]);
        let lanes: Vec<Lane> = std::iter::from_fn(|| play.next_batch().map(|batch| batch.lane)).collect();
        let at = lanes.iter().position(|lane| *lane == Lane::Interactive);
        prop_assert!(at.is_some_and(|at| at <= 1), "{lanes:?}");
        prop_assert!(before == 0 || at == Some(0), "after a bulk batch it is the interactive text's turn: {lanes:?}");
    }

    #[test]
    fn bulk_work_gets_through_however_much_interactive_work_there_is(bulk in prop::collection::vec(1usize..60, 1..25)) {
        let mut play = Play::new();
        let ask = |lane| Ask { lane, output: Output::Pooled, deadline: None };
        play.ask(ask(Lane::Bulk), &bulk);
        let mut n_batches = 0;
        while !play.waiting.lane(Lane::Bulk).is_empty() {
            play.ask(ask(Lane::Interactive), &[40, 40]);
            play.work(false, 100);
            n_batches += 1;
            prop_assert!(n_batches <= 5 + 2 * bulk.len(), "bulk work starves");
        }
        // Until it has waited for long, interactive work alone is done.
        prop_assert!(n_batches > 5);
    }

    #[test]
    fn sorting_never_carries_a_text_past_its_window(
        rounds in prop::collection::vec(prop::collection::vec(1usize..64, 0..40), 1..12),
    ) {
        const BUDGET: usize = 64;
        let mut lane = LaneQueue::new(Order::Length);
        let mut lengths = Vec::new();
        let mut served_in = Vec::new();
        let mut n_batches = 0;
        let mut take = |lane: &mut LaneQueue, served_in: &mut Vec<usize>| {
            let batch = lane.take(BUDGET);
            n_batches += 1;
            batch.iter().for_each(|item| served_in[item.place] = n_batches);
            !batch.is_empty()
        };
        for round in &rounds {
            for &length in round {
                lane.push(item(lengths.len(), length));
                lengths.push(length);
                served_in.push(usize::MAX);
            }
            take(&mut lane, &mut served_in);
        }
        while take(&mut lane, &mut served_in) {}
        prop_assert_eq!(lane.n_tokens(), 0);
        for early in 0..lengths.len() {
            let mut later = (early + 1..lengths.len()).rev();
            if let Some(last) = later.find(|&late| served_in[late] < served_in[early]) {
                let between: usize = lengths[early..last].iter().sum();
                prop_assert!(between <= 4 * BUDGET, "{early} is overtaken by {last}");
            }
        }
    }
}

fn item(place: usize, length: usize) -> Item {
    let tokens = TokenIds { ids: vec![1; length], truncated: false };
    Item { request: 0, place, tokens, output: Output::Pooled, since: Instant::now() }
}

#[test]
fn texts_of_like_length_go_together() {
    let mut lane = LaneQueue::new(Order::Length);
    (0..32).for_each(|place| lane.push(item(place, if place % 2 == 0 { 4 } else { 12 })));
    let lengths: Vec<Vec<usize>> = std::iter::from_fn(|| Some(lane.take(48)).filter(|batch| !batch.is_empty()))
        .map(|batch| batch.iter().map(|item| item.tokens.ids.len()).collect())
        .collect();
    let mixed = lengths.iter().filter(|batch| batch.iter().any(|length| *length != batch[0])).count();
    assert!(mixed <= 2, "{lengths:?}");
    assert_eq!(lengths.iter().map(Vec::len).sum::<usize>(), 32);
}

#[test]
fn a_request_larger_than_the_lane_is_taken_when_nothing_waits_and_spread_over_batches() {
    let mut play = Play::new();
    let ask = Ask { lane: Lane::Bulk, output: Output::Pooled, deadline: None };
    play.ask(ask, &[20; 100]);
    play.ask(ask, &[1]);
    assert_eq!(play.asked.len(), 1, "the second is refused");
    play.ask(Ask { lane: Lane::Interactive, ..ask }, &[1]);
    assert_eq!(play.asked.len(), 2, "bulk work does not fill the interactive lane");
    play.finish();
}

#[test]
fn who_comes_back_after_the_time_told_finds_room() {
    let mut play = Play::new();
    let ask = Ask { lane: Lane::Bulk, output: Output::Pooled, deadline: None };
    // 20 tokens in 2 s, again and again.
    for _ in 0..20 {
        play.ask(ask, &[20]);
        assert!(play.work(false, 2_000));
    }
    play.ask(ask, &[20; 15]);
    let Err(EmbedError::Busy { retry_after }) = play.waiting.room(Lane::Bulk, 1, 1) else { panic!("there is room") };
    assert!((29..=31).contains(&retry_after.as_secs()), "300 tokens at 10 a second: {retry_after:?}");
}
