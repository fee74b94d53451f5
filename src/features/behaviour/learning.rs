//! How a learner gets on: pace, completion, scores and pauses.

use super::Scope;
use super::opinions::difference;
use crate::domain::{ActivityKind, ItemId, Timestamp};
use crate::features::cutoff::{Period, days_between};
use crate::features::feature::{Entry, Kind, NEVER, change, mean_and_deviation, share};
use crate::features::history::{Doing, History};
use std::collections::BTreeSet;

#[derive(Debug, Default)]
pub(super) struct Learning<'a> {
    /// When something of a course was begun, finished or marked.
    times: Vec<Timestamp>,
    n_completed: usize,
    n_completed_last: usize,
    n_completed_before: usize,
    taken_up: BTreeSet<&'a ItemId>,
    completed: BTreeSet<&'a ItemId>,
    /// In the order of time.
    scores: Vec<f64>,
    scores_last: Vec<f64>,
    scores_before: Vec<f64>,
    days_learning: Option<f64>,
    days_since_last: Option<f64>,
    had_period_before: bool,
}

impl<'a> Learning<'a> {
    pub fn of(history: &'a History, scope: &Scope<'_>) -> Self {
        let mut learning = Self::default();
        for (time, _, doing) in history.doings.until(scope.cutoff.at) {
            if learning.add(doing, scope.cutoff.period(time)) {
                learning.times.push(time);
            }
        }
        learning.days_learning = learning.times.first().map(|first| scope.cutoff.days_since(*first));
        learning.days_since_last = learning.times.last().map(|last| scope.cutoff.days_since(*last));
        let first = learning.times.first();
        learning.had_period_before = first.is_some_and(|first| scope.cutoff.period(*first) != Period::Last);
        learning
    }

    /// Whether it was learning.
    fn add(&mut self, doing: &'a Doing, period: Period) -> bool {
        match doing.kind {
            Some(ActivityKind::Enrol | ActivityKind::Start) => self.taken_up.extend(&doing.item),
            Some(ActivityKind::Complete) => self.complete(doing, period),
            Some(ActivityKind::Grade) => self.grade(doing, period),
            _ => return false,
        }
        true
    }

    fn complete(&mut self, doing: &'a Doing, period: Period) {
        self.n_completed += 1;
        self.n_completed_last += usize::from(period == Period::Last);
        self.n_completed_before += usize::from(period == Period::Before);
        self.taken_up.extend(&doing.item);
        self.completed.extend(&doing.item);
    }

    fn grade(&mut self, doing: &Doing, period: Period) {
        let score = doing.value.filter(|score| score.is_finite());
        self.scores.extend(score);
        match period {
            Period::Last => self.scores_last.extend(score),
            Period::Before => self.scores_before.extend(score),
            Period::Earlier => {}
        }
    }

    fn gaps_days(&self) -> Vec<f64> {
        self.times.windows(2).map(|pair| days_between(pair[0], pair[1])).collect()
    }
}

const NO_LEARNER: &str = "never took up, finished or was marked for a part of a course";

impl Learning<'_> {
    /// An array, not a slice: a slice for all time would want facts for all time.
    pub const FEATURES: [Entry<Self>; 9] = [
        Entry {
            id: "lessons",
            names: ("Lessons finished", "完成课时"),
            unit: "lessons",
            kind: Kind::Count,
            definition: "parts of courses finished until the cut-off",
            missing: NEVER,
            value: |l| Some(l.n_completed as f64),
        },
        Entry {
            id: "lesson_pace",
            names: ("Lessons a week", "每周课时"),
            unit: "lessons/week",
            kind: Kind::Ratio,
            definition: "lessons finished, over the weeks since the first learning, one week at least",
            missing: NO_LEARNER,
            value: |l| l.days_learning.map(|days| l.n_completed as f64 / (days / 7.0).max(1.0)),
        },
        Entry {
            id: "lesson_trend",
            names: ("Trend of lessons", "学习趋势"),
            unit: "",
            kind: Kind::Change,
            definition: "lessons finished in the last period against the one before, (last - before) / (last + before)",
            missing: "none in either period, or too new a learner to have a period before",
            value: |l| l.had_period_before.then(|| change(l.n_completed_last as f64, l.n_completed_before as f64))?,
        },
        Entry {
            id: "completion_rate",
            names: ("Finished of what was taken up", "完成率"),
            unit: "",
            kind: Kind::Share,
            definition: "different items finished, over different items taken up, begun or finished",
            missing: "took up nothing that has a name",
            value: |l| share(l.completed.len() as f64, l.taken_up.len() as f64),
        },
        Entry {
            id: "score_mean",
            names: ("Mean score", "平均成绩"),
            unit: "the shop's scale",
            kind: Kind::Score,
            definition: "mean of the marks given",
            missing: "never marked",
            value: |l| mean_and_deviation(&l.scores).map(|(mean, _)| mean),
        },
        Entry {
            id: "score_trend",
            names: ("Trend of scores", "成绩趋势"),
            unit: "the shop's scale",
            kind: Kind::Change,
            definition: "mean mark of the last period less that of the one before",
            missing: "no mark in one of the two periods",
            value: |l| difference(&l.scores_last, &l.scores_before),
        },
        Entry {
            id: "learning_recency",
            names: ("Days since the last learning", "距上次学习天数"),
            unit: "days",
            kind: Kind::Duration,
            definition: "cut-off minus the time of the latest learning",
            missing: NO_LEARNER,
            value: |l| l.days_since_last,
        },
        Entry {
            id: "learning_gap_mean",
            names: ("Days between learning", "平均学习间隔"),
            unit: "days",
            kind: Kind::Duration,
            definition: "mean time from one piece of learning to the next",
            missing: "fewer than two pieces of learning",
            value: |l| mean_and_deviation(&l.gaps_days()).map(|(mean, _)| mean),
        },
        Entry {
            id: "learning_gap_longest",
            names: ("Longest pause in learning", "最长学习间断"),
            unit: "days",
            kind: Kind::Duration,
            definition: "longest time from one piece of learning to the next",
            missing: "fewer than two pieces of learning",
            value: |l| l.gaps_days().into_iter().reduce(f64::max),
        },
    ];
}
