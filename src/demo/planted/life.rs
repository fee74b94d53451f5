//! One planted customer's year: what they order, by habit, and what they write, by topic, each without regard to the other.

use super::Dealt;
use super::habits::Habit;
use crate::demo::catalogue::{DEPARTMENTS, Item};
use crate::demo::dice::Dice;
use crate::demo::grammar::{Mood, Subject, compose};
use crate::demo::grammar_en::ENGLISH;
use crate::domain::Timestamp;

/// 2025-01-01T00:00:00Z, the first second of the year.
const FIRST_SECOND: i64 = 1_735_689_600;
const SECONDS_A_DAY: i64 = 86_400;
pub(super) const N_DAYS: u32 = 365;
/// The first day of the second half.
pub(super) const MIDDLE: u32 = 182;
/// Reviews of a customer.
const N_REVIEWS: u32 = 4;
/// Weights of 1 to 5 stars.
const RATINGS: [u32; 5] = [8, 7, 11, 27, 47];
/// A discount is so much of the price.
const DISCOUNT_PERCENT: u32 = 20;

pub(super) struct Life {
    /// By time.
    pub orders: Vec<Order>,
    /// By time.
    pub reviews: Vec<Review>,
}

pub(super) struct Order {
    pub time: Timestamp,
    /// Department, item, quantity.
    pub lines: Vec<(usize, &'static Item, u32)>,
    pub viewed: Vec<(usize, &'static Item)>,
    pub discount_cents: u32,
    pub refunded: Option<Timestamp>,
}

pub(super) struct Review {
    pub item: &'static Item,
    pub rating: u32,
    pub time: Timestamp,
    pub text: String,
}

impl Life {
    pub fn grow(dealt: &Dealt, dice: &mut Dice) -> Self {
        let first = if dealt.is_late { MIDDLE } else { 0 };
        Self { orders: orders(dealt, first, dice), reviews: reviews(dealt, first, dice) }
    }
}

fn orders(dealt: &Dealt, first: u32, dice: &mut Dice) -> Vec<Order> {
    let mut orders = Vec::new();
    // Whoever buys seldom has bought within the first gap all the same.
    let mut day = first + dice.below(dealt.habits[0].gap_days.0);
    loop {
        let habit = dealt.habits[usize::from(day >= MIDDLE)];
        if day >= habit.until_day.min(N_DAYS) {
            return orders;
        }
        orders.push(order(habit, day, dice));
        day += dice.between(habit.gap_days.0, habit.gap_days.1);
    }
}

fn order(habit: &Habit, day: u32, dice: &mut Dice) -> Order {
    let hour = dice.between(habit.hours.0, habit.hours.1);
    let time = moment(day, hour * 3_600 + dice.below(3_600));
    let lines: Vec<(usize, &Item, u32)> = (0..dice.between(habit.lines.0, habit.lines.1))
        .map(|_| {
            let (department, item) = anything(dice);
            (department, item, dice.between(habit.quantity.0, habit.quantity.1))
        })
        .collect();
    let cents: u32 = lines.iter().map(|(_, item, quantity)| item.cents * quantity).sum();
    let discount_cents = if dice.percent(habit.discount_percent) { cents * DISCOUNT_PERCENT / 100 } else { 0 };
    let viewed = (0..dice.between(habit.views.0, habit.views.1)).map(|_| anything(dice)).collect();
    let days_to_refund = dice.between(3, 14);
    let refunded = dice.percent(habit.refund_percent).then(|| moment(day + days_to_refund, hour * 3_600));
    Order { time, lines, viewed, discount_cents, refunded }
}

/// Reviews of the topic, or of anything, all over the year.
fn reviews(dealt: &Dealt, first: u32, dice: &mut Dice) -> Vec<Review> {
    let mut reviews: Vec<Review> = (0..N_REVIEWS)
        .map(|_| {
            let (department, item) = match dealt.topic {
                Some(topic) => (topic, of(topic, dice)),
                None => anything(dice),
            };
            let rating = dice.weighted(&RATINGS) as u32 + 1;
            let text = compose(&ENGLISH, Subject { item, department }, Mood::of_rating(rating), dice);
            let day = dice.between(first, N_DAYS - 1);
            Review { item, rating, time: moment(day, dice.below(86_400)), text }
        })
        .collect();
    reviews.sort_by_key(|review| review.time);
    reviews
}

fn anything(dice: &mut Dice) -> (usize, &'static Item) {
    let department = dice.index(DEPARTMENTS.len());
    (department, of(department, dice))
}

fn of(department: usize, dice: &mut Dice) -> &'static Item {
    let items = &DEPARTMENTS[department].items;
    &items[dice.index(items.len())]
}

fn moment(day: u32, second: u32) -> Timestamp {
    let second = FIRST_SECOND + i64::from(day) * SECONDS_A_DAY + i64::from(second);
    Timestamp::from_second(second).expect("the year is within the calendar")
}
