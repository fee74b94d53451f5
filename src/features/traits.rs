//! Traits of any type as coordinates, so that squared distances between them are Gower's.
//!
//! After Gower (1971), A General Coefficient of Similarity, with squared differences for numbers as k-prototypes has them (Huang
//! 1998): each trait adds 0 to 1 to the squared distance. A number adds the square of its difference over the range that was
//! fitted, a truth and a category add 1 where they differ. A category with m values has m coordinates of 0 or 1/√2.

use super::feature::{Feature, Kind};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// How a trait becomes coordinates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum TraitKind {
    /// `(x - low) / range`, cut off at 0 and 1.
    Number {
        low: f64,
        range: f64,
    },
    Boolean,
    /// A coordinate a value, and a last one for all other values, which count as one.
    Category {
        values: Vec<String>,
    },
}

/// Traits' coordinates, fitted on some customers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TraitEncoder {
    /// By name.
    pub traits: BTreeMap<String, TraitKind>,
}

impl TraitEncoder {
    /// Looks at what each trait is for most: a number, a truth or a text (of equals the first of these). A text is a category if
    /// its `max_categories` most frequent values cover at least half of those who have it, and one of them is shared; else (a
    /// name, an address) it says nothing about a segment and is left out, as lists and objects are.
    pub fn fit<'a>(customers: impl IntoIterator<Item = &'a Map<String, Value>>, max_categories: usize) -> Self {
        let mut columns = BTreeMap::<&str, Column<'_>>::new();
        for (name, value) in customers.into_iter().flatten() {
            columns.entry(name).or_default().add(value);
        }
        let kinds =
            columns.into_iter().filter_map(|(name, column)| Some((name.to_owned(), column.kind(max_categories)?)));
        Self { traits: kinds.collect() }
    }

    /// A feature a coordinate, in the order of [`TraitEncoder::row`].
    pub fn features(&self) -> Vec<Feature> {
        let feature = |name: &str, value: Option<&str>, definition: String| {
            let shown = value.map_or(name.to_owned(), |value| format!("{name}={value}"));
            Feature {
                id: format!("trait:{shown}").into(),
                name_en: shown.clone().into(),
                name_zh: shown.into(),
                unit: "".into(),
                kind: Kind::Trait,
                definition: definition.into(),
                missing: "the customer has no such trait".into(),
            }
        };
        let of_trait = |(name, kind): (&String, &TraitKind)| match kind {
            TraitKind::Number { low, range } => {
                vec![feature(name, None, format!("{name:?}, {low} to {} as 0 to 1", low + range))]
            }
            TraitKind::Boolean => vec![feature(name, None, format!("{name:?}, true as 1"))],
            TraitKind::Category { values } => {
                let of = |value: &String| feature(name, Some(value), format!("1/√2 where {name:?} is {value:?}"));
                let other = feature(name, Some("*"), format!("1/√2 where {name:?} is any other text"));
                values.iter().map(of).chain([other]).collect()
            }
        };
        self.traits.iter().flat_map(of_trait).collect()
    }

    /// A customer's coordinates. Who has not the trait, or has one of another type, has none of its coordinates.
    pub fn row(&self, traits: &Map<String, Value>) -> Vec<Option<f64>> {
        self.traits.iter().flat_map(|(name, kind)| kind.coordinates(traits.get(name))).collect()
    }
}

impl TraitKind {
    fn coordinates(&self, value: Option<&Value>) -> Vec<Option<f64>> {
        match self {
            Self::Number { low, range } => {
                let number = value.and_then(Value::as_f64).filter(|number| number.is_finite());
                vec![number.map(|number| ((number - low) / range).clamp(0.0, 1.0))]
            }
            Self::Boolean => vec![value.and_then(Value::as_bool).map(f64::from)],
            Self::Category { values } => {
                let text = value.and_then(Value::as_str);
                let place = text.map(|text| values.iter().position(|value| value == text).unwrap_or(values.len()));
                let at = |i: usize| if Some(i) == place { std::f64::consts::FRAC_1_SQRT_2 } else { 0.0 };
                (0..=values.len()).map(|i| place.map(|_| at(i))).collect()
            }
        }
    }
}

/// What is known of one trait over all customers.
#[derive(Default)]
struct Column<'a> {
    numbers: Vec<f64>,
    n_booleans: usize,
    texts: BTreeMap<&'a str, usize>,
}

impl<'a> Column<'a> {
    fn add(&mut self, value: &'a Value) {
        match value {
            Value::Number(number) => self.numbers.extend(number.as_f64().filter(|number| number.is_finite())),
            Value::Bool(_) => self.n_booleans += 1,
            Value::String(text) => *self.texts.entry(text).or_default() += 1,
            Value::Null | Value::Array(_) | Value::Object(_) => {}
        }
    }

    fn kind(&self, max_categories: usize) -> Option<TraitKind> {
        let n_texts: usize = self.texts.values().sum();
        let most = self.numbers.len().max(self.n_booleans).max(n_texts);
        if most == 0 {
            None
        } else if self.numbers.len() == most {
            let (low, high) = self.numbers.iter().fold((f64::MAX, f64::MIN), |(l, h), x| (l.min(*x), h.max(*x)));
            // Halves first: the range of the greatest numbers is beyond them.
            let range = 2.0 * (high / 2.0 - low / 2.0).min(f64::MAX / 4.0);
            Some(TraitKind::Number { low, range: if range > 0.0 { range } else { 1.0 } })
        } else if self.n_booleans == most {
            Some(TraitKind::Boolean)
        } else {
            self.category(n_texts, max_categories)
        }
    }

    fn category(&self, n_texts: usize, max_categories: usize) -> Option<TraitKind> {
        let mut values: Vec<(&str, usize)> = self.texts.iter().map(|(text, n)| (*text, *n)).collect();
        values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        values.truncate(max_categories);
        let covered: usize = values.iter().map(|(_, n)| n).sum();
        let is_shared = values.first().is_some_and(|(_, n)| *n > 1);
        let mut values: Vec<String> = values.into_iter().map(|(text, _)| text.to_owned()).collect();
        values.sort_unstable();
        (is_shared && 2 * covered >= n_texts).then_some(TraitKind::Category { values })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn customers(rows: &[Value]) -> Vec<Map<String, Value>> {
        rows.iter().map(|row| row.as_object().unwrap().clone()).collect()
    }

    fn squared(a: &[Option<f64>], b: &[Option<f64>]) -> f64 {
        a.iter().zip(b).filter_map(|(a, b)| Some(((*a)? - (*b)?).powi(2))).sum()
    }

    #[test]
    fn traits_of_three_types_are_known_by_what_most_customers_have() {
        let rows = customers(&[
            json!({"age": 20, "vip": true, "plan": "pro", "email": "a@x"}),
            json!({"age": 60, "vip": false, "plan": "free", "email": "b@x", "tags": ["x"]}),
            json!({"age": "old", "vip": false, "plan": "free", "email": "c@x"}),
            json!({"age": null, "plan": "team"}),
        ]);
        let encoder = TraitEncoder::fit(&rows, 2);
        let found: Vec<&str> = encoder.traits.keys().map(String::as_str).collect();
        assert_eq!(found, ["age", "plan", "vip"]);
        assert_eq!(encoder.traits["age"], TraitKind::Number { low: 20.0, range: 40.0 });
        assert_eq!(encoder.traits["plan"], TraitKind::Category { values: vec!["free".into(), "pro".into()] });
        let ids: Vec<String> = encoder.features().iter().map(|feature| feature.id.to_string()).collect();
        assert_eq!(ids, ["trait:age", "trait:plan=free", "trait:plan=pro", "trait:plan=*", "trait:vip"]);
        let points: Vec<_> = rows.iter().map(|row| encoder.row(row)).collect();
        assert!((squared(&points[0], &points[1]) - 3.0).abs() < 1e-12);
        assert!(squared(&points[1], &points[2]) < 1e-12);
        assert_eq!(points[3][0], None);
        assert_eq!(encoder.row(&customers(&[json!({"age": 1000})])[0])[0], Some(1.0));
    }

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<f64>().prop_map(|x| json!(x)),
            (0..5i32).prop_map(|x| json!(x)),
            any::<bool>().prop_map(|x| json!(x)),
            "[a-c]".prop_map(|x| json!(x)),
            Just(json!(null)),
            Just(json!([1])),
        ]
    }

    fn any_customer() -> impl Strategy<Value = Map<String, Value>> {
        prop::collection::btree_map("[p-s]", value(), 0..4).prop_map(Map::from_iter)
    }

    proptest! {
        #[test]
        fn each_trait_adds_between_nothing_and_one(rows in prop::collection::vec(any_customer(), 1..20), new in any_customer()) {
            let encoder = TraitEncoder::fit(&rows, 3);
            let d = encoder.features().len();
            let new = encoder.row(&new);
            for row in &rows {
                let row = encoder.row(row);
                prop_assert_eq!(row.len(), d);
                prop_assert_eq!(squared(&row, &row), 0.0);
                let distance = squared(&row, &new);
                prop_assert!((0.0..=encoder.traits.len() as f64 + 1e-9).contains(&distance), "{distance}");
            }
        }
    }
}
