//! One customer's life with the shop: who they are, what they order, and what they write about it.

use super::catalogue::{DEPARTMENTS, Item};
use super::dice::Dice;
use super::grammar::{Mood, Subject, Tongue, compose};
use super::grammar_en::ENGLISH;
use super::grammar_zh::CHINESE;
use super::personas::{CHANNELS, DECADES, PERSONAS, Persona};
use crate::domain::Timestamp;
use jiff::tz::Offset;

/// 2025-01-01T00:00:00Z, the first second of the eighteen months.
const FIRST_SECOND: i64 = 1_735_689_600;
/// Orders come on these days; a month later, on 2026-06-30, the last refund and review are in.
const N_ORDER_DAYS: u32 = 516;
const SECONDS_A_DAY: i64 = 86_400;

const PERCENT_CHINESE: u32 = 35;
/// Of a hundred order lines, so many come from another persona's department.
const PERCENT_ELSEWHERE: u32 = 10;
/// Weights of 1, 2, 3 and 4 reviews: 2.2 on average.
const N_REVIEWS: [u32; 4] = [30, 32, 26, 12];
/// Weights of 1 to 5 stars.
const RATINGS: [u32; 5] = [8, 7, 11, 27, 47];

const COUNTRIES: [&str; 7] = ["GB", "IE", "US", "DE", "NL", "NZ", "CA"];
const COUNTRIES_ZH: [&str; 5] = ["CN", "CN", "SG", "TW", "HK"];

pub(super) struct Customer {
    pub id: String,
    pub persona: usize,
    pub language: &'static str,
    pub country: &'static str,
    pub channel: &'static str,
    pub birth_decade: &'static str,
    pub newsletter: bool,
    pub signed_up: Timestamp,
    /// By time.
    pub orders: Vec<Order>,
    /// By time.
    pub reviews: Vec<Review>,
}

pub(super) struct Order {
    pub time: Timestamp,
    pub lines: Vec<Line>,
    /// Items looked at before and not bought, by index of department and item.
    pub viewed: Vec<(usize, &'static Item)>,
    pub refunded: Option<Timestamp>,
}

#[derive(Clone, Copy)]
pub(super) struct Line {
    pub department: usize,
    pub item: &'static Item,
    pub quantity: u32,
}

pub(super) struct Review {
    pub item: &'static Item,
    pub rating: u32,
    pub time: Timestamp,
    pub text: String,
}

impl Customer {
    /// Grows the customer with this number. Nothing depends on how many others there are.
    pub(super) fn grow(number: u64, seed: u64, with_chinese: bool) -> Self {
        let mut dice = Dice::new(seed, number);
        let persona = dice.weighted(&PERSONAS.each_ref().map(|persona| persona.share_percent));
        let traits = &PERSONAS[persona];
        let is_chinese = dice.percent(PERCENT_CHINESE) && with_chinese;
        let tongue = if is_chinese { &CHINESE } else { &ENGLISH };
        let n_reviews = dice.weighted(&N_REVIEWS) + 1;
        let orders = orders(persona, n_reviews, &mut dice);
        let first_order = orders.first().map_or(FIRST_SECOND, |order| order.time.as_second());
        Self {
            id: format!("c{number:05}"),
            persona,
            language: if is_chinese { "zh" } else { "en" },
            country: dice.pick(if is_chinese { &COUNTRIES_ZH } else { &COUNTRIES }),
            channel: CHANNELS[dice.weighted(&traits.channels)],
            birth_decade: DECADES[dice.weighted(&traits.decades)],
            newsletter: dice.percent(40),
            signed_up: moment(first_order - i64::from(dice.between(3_600, 20 * 86_400))),
            reviews: reviews(&orders, n_reviews, tongue, &mut dice),
            orders,
        }
    }
}

/// Orders by time, with at least as many lines as there are reviews to write.
fn orders(persona: usize, n_reviews: usize, dice: &mut Dice) -> Vec<Order> {
    let traits = &PERSONAS[persona];
    let n_orders = dice.between(traits.orders.0, traits.orders.1);
    let mut orders: Vec<Order> = Vec::new();
    let mut n_lines = 0;
    while orders.len() < n_orders as usize || n_lines < n_reviews {
        let order = order(persona, dice);
        n_lines += order.lines.len();
        orders.push(order);
    }
    orders.sort_by_key(|order| order.time);
    orders
}

fn order(persona: usize, dice: &mut Dice) -> Order {
    let traits = &PERSONAS[persona];
    let mut lines: Vec<Line> = Vec::new();
    for _ in 0..dice.between(1, traits.max_lines) {
        let (department, item) = product(persona, dice);
        if lines.iter().all(|line| line.item.sku != item.sku) {
            lines.push(Line { department, item, quantity: dice.between(1, traits.max_quantity) });
        }
    }
    let viewed = (0..dice.between(traits.views.0, traits.views.1)).map(|_| product(persona, dice)).collect();
    let time = shopping_time(traits, dice);
    let days_to_refund = dice.between(4, 25);
    let is_refunded = dice.percent(traits.refund_percent);
    let refunded = is_refunded.then(|| moment(time.as_second() + i64::from(days_to_refund) * SECONDS_A_DAY));
    Order { time, lines, viewed, refunded }
}

fn product(persona: usize, dice: &mut Dice) -> (usize, &'static Item) {
    let step = if dice.percent(PERCENT_ELSEWHERE) { 1 + dice.index(DEPARTMENTS.len() - 1) } else { 0 };
    let department = (persona + step) % DEPARTMENTS.len();
    let items = &DEPARTMENTS[department].items;
    (department, &items[dice.index(items.len())])
}

/// A moment in the eighteen months, in the persona's months and hours.
fn shopping_time(traits: &Persona, dice: &mut Dice) -> Timestamp {
    loop {
        let midnight = FIRST_SECOND + i64::from(dice.below(N_ORDER_DAYS)) * SECONDS_A_DAY;
        let month = Offset::UTC.to_datetime(moment(midnight)).month();
        let weight = traits.months[usize::from(month.unsigned_abs()) - 1];
        if dice.below(10) < weight {
            let hour = dice.between(traits.hours.0, traits.hours.1);
            return moment(midnight + i64::from(hour * 3_600 + dice.below(3_600)));
        }
    }
}

/// Reviews of what was bought, each of another line, some days after it came.
fn reviews(orders: &[Order], n_reviews: usize, tongue: &Tongue, dice: &mut Dice) -> Vec<Review> {
    let mut bought: Vec<(Timestamp, Line)> =
        orders.iter().flat_map(|order| order.lines.iter().map(|line| (order.time, *line))).collect();
    let mut reviews = Vec::new();
    for _ in 0..n_reviews.min(bought.len()) {
        let (ordered, line) = bought.swap_remove(dice.index(bought.len()));
        let rating = u32::try_from(dice.weighted(&RATINGS) + 1).expect("there are five stars");
        let subject = Subject { item: line.item, department: line.department };
        let text = compose(tongue, subject, Mood::of_rating(rating), dice);
        let days = i64::from(dice.between(2, 20));
        let time = moment(ordered.as_second() + days * SECONDS_A_DAY + i64::from(dice.below(30_000)));
        reviews.push(Review { item: line.item, rating, time, text });
    }
    reviews.sort_by_key(|review| review.time);
    reviews
}

fn moment(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("the shop's years are within the calendar")
}
