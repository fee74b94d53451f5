//! Customers whose segments are known because they were planted: what a method of segmentation is measured on.
//!
//! A segment is a topic of what its customers write, a habit of how they buy, or both. What is not planted is the same for all: who
//! has no topic writes about anything, who has no habit buys anyhow. Topics and habits are independent of each other, so where both are
//! planted neither shows the segments by itself: nine segments of three topics and three habits, seen by topics alone, agree with the
//! truth by an adjusted Rand index of 0.4 at best.

mod habits;
mod life;
#[cfg(test)]
mod tests;
mod write;

pub use write::{PlantedFiles, write_planted};

use super::dice::Dice;
use habits::{HABITS, Habit, NO_HABIT};

/// What is hidden in the facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlantedKind {
    /// Nine segments: three topics by three habits, each as large as the other.
    Joint,
    /// Five topics; everybody buys anyhow.
    Text,
    /// Four habits; everybody writes about anything.
    Behaviour,
    /// As `Joint`, and every fifth customer is of no segment.
    Noise,
    /// As `Joint`, from 30 down to 2 customers in a hundred.
    Imbalance,
    /// Six segments, and at the middle of the year a third of one takes up another's habit, and the last comes into being.
    Drift,
}

impl PlantedKind {
    pub const ALL: [Self; 6] = [Self::Joint, Self::Text, Self::Behaviour, Self::Noise, Self::Imbalance, Self::Drift];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Joint => "joint",
            Self::Text => "text",
            Self::Behaviour => "behaviour",
            Self::Noise => "noise",
            Self::Imbalance => "imbalance",
            Self::Drift => "drift",
        }
    }

    fn groups(self) -> Vec<Group> {
        match self {
            Self::Joint => by_habit([1; 9]),
            Self::Text => TOPICS.iter().map(|topic| Group::of(Some(*topic), None, 1)).collect(),
            Self::Behaviour => (0..HABITS.len()).map(|habit| Group::of(None, Some(habit), 1)).collect(),
            Self::Noise => by_habit([4; 9]).into_iter().chain([Group::of(None, None, 9)]).collect(),
            Self::Imbalance => by_habit([30, 20, 15, 10, 8, 7, 5, 3, 2]),
            Self::Drift => drifting(),
        }
    }
}

/// What customers are grown from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlantedSettings {
    pub kind: PlantedKind,
    pub n_customers: usize,
    /// The same settings give the same bytes.
    pub seed: u64,
}

/// Departments that are written about, by index.
const TOPICS: [usize; 5] = [0, 1, 4, 2, 3];
const N_TOPICS: usize = 3;

/// A planted segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Group {
    topic: Option<usize>,
    habit: Option<usize>,
    /// Customers are dealt to groups by these.
    weight: u32,
    /// In the second half of the year a third of its customers has this habit.
    habit_of_some: Option<usize>,
    /// Its customers come in the second half of the year.
    is_late: bool,
}

impl Group {
    fn of(topic: Option<usize>, habit: Option<usize>, weight: u32) -> Self {
        Self { topic, habit, weight, habit_of_some: None, is_late: false }
    }

    /// `topic/habit`; what is not planted is left out, and who has neither is in `none`.
    fn name(topic: Option<usize>, habit: Option<usize>) -> String {
        let topic = topic.map(|topic| super::catalogue::DEPARTMENTS[topic].name);
        let habit = habit.map(|habit| HABITS[habit].name);
        let parts: Vec<&str> = [topic, habit].into_iter().flatten().collect();
        if parts.is_empty() { "none".to_owned() } else { parts.join("/") }
    }
}

/// Three topics by three habits.
fn by_habit(weights: [u32; 9]) -> Vec<Group> {
    let group = |(i, weight): (usize, u32)| Group::of(Some(TOPICS[i % N_TOPICS]), Some(i / N_TOPICS), weight);
    weights.into_iter().enumerate().map(group).collect()
}

fn drifting() -> Vec<Group> {
    let mut groups = by_habit([1; 9]);
    groups.truncate(6);
    groups[0].habit_of_some = groups[3].habit;
    groups[5].is_late = true;
    groups
}

/// What one customer was dealt.
#[derive(Debug, Clone, Copy)]
struct Dealt {
    topic: Option<usize>,
    habits: [&'static Habit; 2],
    is_late: bool,
}

/// Which segment a customer is in, in the first half of the year and in the second; empty before they come.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Truth {
    before: String,
    now: String,
}

fn deal(groups: &[Group], dice: &mut Dice) -> (Dealt, Truth) {
    let weights: Vec<u32> = groups.iter().map(|group| group.weight).collect();
    let group = groups[dice.weighted(&weights)];
    let turns = dice.percent(33);
    let later = group.habit_of_some.filter(|_| turns).or(group.habit);
    let habit = |habit: Option<usize>| habit.map_or(&NO_HABIT, |habit| &HABITS[habit]);
    let before = if group.is_late { String::new() } else { Group::name(group.topic, group.habit) };
    let dealt = Dealt { topic: group.topic, habits: [habit(group.habit), habit(later)], is_late: group.is_late };
    (dealt, Truth { before, now: Group::name(group.topic, later) })
}
