//! What customers do and are, as of a moment: what a fit takes in beside their words. Pure: histories in, tables out.

use crate::domain::{CustomerId, Timestamp};
use crate::features::{Behaviour, Categories, Cutoff, FeatureSet, History};
use rayon::prelude::*;
use serde_json::{Map, Value};

/// Categories that have a feature of their own.
const CATEGORIES: usize = 8;
/// The last period, which a search for weights holds out, is a quarter of the time there are facts of, and no longer than this.
const LONGEST_PERIOD_DAYS: i64 = 90;
const MICROSECONDS_A_DAY: i64 = 86_400_000_000;

/// A customer's facts without their words.
#[derive(Debug, Clone, Default)]
pub struct Person {
    pub history: History,
    /// As they are now: what they were before is not known.
    pub traits: Map<String, Value>,
}

/// What some customers do and are.
#[derive(Debug, Clone)]
pub struct People {
    pub cutoff: Cutoff,
    pub behaviour: Behaviour,
    /// A row a customer, in the order of their ids: features as of the cut-off, every cell missing of who had done nothing yet.
    pub table: FeatureSet,
    /// `[n]`
    pub traits: Vec<Map<String, Value>>,
    pub held_out: Option<HeldOut>,
}

/// The last period, held out: features as of its beginning, and what came of the customers in it.
#[derive(Debug, Clone)]
pub struct HeldOut {
    pub cutoff: Cutoff,
    /// The same customers and features as of the beginning.
    pub table: FeatureSet,
    /// `[n]`: orders, money (in major units) and things done in the period.
    pub outcomes: Vec<[f64; 3]>,
}

impl People {
    /// Describes customers as of a moment. Who did nothing until then and has no traits is left out. With `holds_out` the last period
    /// is described too, where there is time enough before it.
    pub fn describe(
        mut persons: Vec<(CustomerId, Person)>,
        catalogue: Categories,
        at: Timestamp,
        holds_out: bool,
    ) -> Self {
        let cutoff = Cutoff::new(at);
        persons.retain(|(_, person)| is_seen(&person.history, at) || !person.traits.is_empty());
        persons.sort_by(|a, b| a.0.cmp(&b.0));
        let behaviour =
            Behaviour::suited(persons.iter().map(|(_, person)| &person.history), catalogue, cutoff, CATEGORIES);
        let table = table_of(&behaviour, &persons, cutoff);
        let before = holds_out.then(|| beginning_of_last_period(&persons, cutoff)).flatten();
        let held_out = before.map(|before| {
            let earlier = table_of(&behaviour, &persons, before);
            let outcomes = outcomes(&earlier, &table);
            HeldOut { cutoff: before, table: earlier, outcomes }
        });
        let traits = persons.into_iter().map(|(_, person)| person.traits).collect();
        Self { cutoff, behaviour, table, traits, held_out }
    }

    pub fn customers(&self) -> &[CustomerId] {
        &self.table.customers
    }

    /// Whether anybody did anything but write reviews.
    pub fn do_anything(&self) -> bool {
        let column = |id| self.table.position(id);
        let (Some(activity), Some(reviews)) = (column("activity"), column("reviews")) else { return false };
        let value = |row, column| self.table.cell(row, column).unwrap_or_default();
        (0..self.table.n_customers()).any(|row| value(row, activity) > value(row, reviews))
    }
}

fn is_seen(history: &History, at: Timestamp) -> bool {
    history.first_time().is_some_and(|first| first <= at)
}

fn table_of(behaviour: &Behaviour, persons: &[(CustomerId, Person)], cutoff: Cutoff) -> FeatureSet {
    let features = behaviour.features();
    let row = |(_, person): &(CustomerId, Person)| match is_seen(&person.history, cutoff.at) {
        true => behaviour.row(&person.history, cutoff),
        false => vec![None; features.len()],
    };
    let rows = persons.par_iter().map(row).collect();
    FeatureSet::new(features.clone(), persons.iter().map(|(id, _)| id.clone()).collect(), rows)
}

fn beginning_of_last_period(persons: &[(CustomerId, Person)], cutoff: Cutoff) -> Option<Cutoff> {
    let first = persons.iter().filter_map(|(_, person)| person.history.first_time()).min()?;
    let span_days = (cutoff.at.as_microsecond() - first.as_microsecond()) / MICROSECONDS_A_DAY;
    let period_days = (span_days / 4).min(LONGEST_PERIOD_DAYS);
    if period_days < 1 {
        return None;
    }
    let at = Timestamp::from_microsecond(cutoff.at.as_microsecond() - period_days * MICROSECONDS_A_DAY).ok()?;
    Some(Cutoff { at, ..cutoff })
}

/// What grew from one description to the next.
fn outcomes(earlier: &FeatureSet, later: &FeatureSet) -> Vec<[f64; 3]> {
    let columns = ["frequency", "monetary", "activity"].map(|id| later.position(id));
    let grown = |row: usize| {
        columns.map(|column| {
            let value = |set: &FeatureSet| column.and_then(|column| set.cell(row, column)).unwrap_or_default();
            (value(later) - value(earlier)).max(0.0)
        })
    };
    (0..later.n_customers()).map(grown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Money, Order, OrderId};
    use proptest::prelude::*;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + day * 86_400).unwrap()
    }

    fn order(id: &str, day: i64, minor: i64) -> Order {
        Order {
            id: OrderId::parse(id).unwrap(),
            customer: CustomerId::parse("c").unwrap(),
            time: at(day),
            total: Money { minor, currency: None },
            discount_minor: 0,
            lines: vec![],
        }
    }

    fn person(orders: &[Order]) -> Person {
        let mut person = Person::default();
        orders.iter().for_each(|order| person.history.add_order(order));
        person
    }

    fn id(text: &str) -> CustomerId {
        CustomerId::parse(text).unwrap()
    }

    #[test]
    fn the_last_period_is_held_out_and_what_came_of_it_is_told() {
        let persons = vec![
            (id("b"), person(&[order("o1", 0, 500), order("o2", 95, 300), order("o3", 99, 200)])),
            (id("a"), person(&[order("o4", 97, 100)])),
            (id("later"), person(&[order("o5", 101, 100)])),
        ];
        let people = People::describe(persons, Categories::default(), at(100), true);
        assert_eq!(people.customers(), [id("a"), id("b")]);
        let held_out = people.held_out.unwrap();
        assert_eq!(held_out.cutoff.at, at(75));
        assert_eq!(held_out.outcomes, [[1.0, 1.0, 1.0], [2.0, 5.0, 2.0]]);
        // Nothing is known of who was not there yet.
        assert!(held_out.table.row(0).iter().all(Option::is_none));
        assert_eq!(held_out.table.value(1, "frequency"), Some(1.0));
    }

    proptest! {
        #[test]
        fn the_order_of_facts_and_customers_changes_nothing(
            orders in prop::collection::vec((0..4u8, 0..120i64, 0..9_000i64), 1..20), by in 0..20usize,
        ) {
            let told = |orders: &[(usize, (u8, i64, i64))]| {
                let mut persons: Vec<(CustomerId, Person)> = Vec::new();
                for (i, (customer, day, minor)) in orders {
                    let customer = id(&format!("c{customer}"));
                    let order = order(&format!("o{i}"), *day, *minor);
                    match persons.iter_mut().find(|(id, _)| *id == customer) {
                        Some((_, person)) => person.history.add_order(&order),
                        None => persons.push((customer, person(&[order]))),
                    }
                }
                People::describe(persons, Categories::default(), at(110), true)
            };
            let mut orders: Vec<_> = orders.into_iter().enumerate().collect();
            let one = told(&orders);
            let n = orders.len();
            orders.rotate_left(by % n);
            let other = told(&orders);
            prop_assert_eq!(&one.table, &other.table);
            prop_assert_eq!(one.held_out.map(|h| (h.table, h.outcomes)), other.held_out.map(|h| (h.table, h.outcomes)));
        }
    }
}
