//! How a segment differs from everyone in what people do and are: effect sizes with confidence intervals, and a short rule.

use super::people::People;
use super::sides::Sides;
use crate::domain::{BlockKind, Difference, SegmentRule};
use crate::features::explain::{Condition, Labelled, Rule, RuleParams, segment_rules};
use crate::features::{Feature, FeatureSet, Kind, Scaler, Scaling, TraitEncoder, TraitKind};
use rayon::prelude::*;
use serde_json::{Map, Value};

/// A smaller effect is none (Cohen 1988 calls 0.2 small).
pub const SMALL: f64 = 0.2;
/// Differences that are kept of a segment.
const SHOWN: usize = 6;
/// What everybody knows a customer by, whether another feature says the same or not.
const ALWAYS: [&str; 4] = ["recency", "frequency", "monetary", "average_order"];
/// Customers that rules are made from, at most.
const RULE_SAMPLE: usize = 10_000;
/// The normal quantile of a 95 % interval.
const Z: f64 = 1.96;

/// The unit of what is there or not: the share that has it.
pub const SHARE: &str = "share";

/// One column that segments may differ in.
struct Column {
    block: BlockKind,
    feature: Feature,
    /// Whether it is 0 or 1.
    is_binary: bool,
    /// `[n]`, in the feature's own unit.
    values: Vec<Option<f64>>,
    /// `[n]`: mean 0 and standard deviation 1 among everyone.
    scaled: Vec<Option<f64>>,
    /// Everyone's median; of a binary one the mean.
    everyone: f64,
}

/// Everybody's features and traits, in units people read.
pub struct Described {
    columns: Vec<Column>,
    set: FeatureSet,
}

/// A segment's effects, the largest first, small ones and unsure ones too.
#[derive(Debug, Clone, Default)]
pub struct Differences(Vec<Difference>);

impl Differences {
    /// Those that are not small and that chance does not explain.
    pub fn shown(&self) -> Vec<Difference> {
        self.marked().take(SHOWN).cloned().collect()
    }

    pub fn marked(&self) -> impl Iterator<Item = &Difference> {
        self.0.iter().filter(|one| one.effect.abs() >= SMALL && one.low * one.high > 0.0)
    }

    pub fn of(&self, feature: &str) -> Option<&Difference> {
        self.0.iter().find(|one| one.feature == feature)
    }

    /// The effect in a feature; 0 where there is none.
    pub fn effect(&self, feature: &str) -> f64 {
        self.of(feature).map_or(0.0, |one| one.effect)
    }
}

impl Described {
    /// The columns of the blocks that count, for the customers of `sides`.
    pub fn of(people: &People, sides: &Sides) -> Self {
        let row = |customer| people.customers().binary_search(customer).unwrap_or_default();
        let rows: Vec<usize> = sides.customers.iter().map(row).collect();
        let mut columns: Vec<Column> = Vec::new();
        if let Some(behaviour) = &sides.encoders.behaviour {
            let kept: Vec<usize> = behaviour.doing.iter().chain(&behaviour.rhythm).copied().collect();
            let is_told = |column: &usize| {
                let feature = &people.table.features[*column];
                // A coordinate on a circle says nothing to anybody.
                feature.kind != Kind::Circle && (kept.contains(column) || ALWAYS.contains(&&*feature.id))
            };
            let told = (0..people.table.n_features()).filter(is_told);
            columns.extend(told.map(|column| {
                let values = rows.iter().map(|row| people.table.cell(*row, column)).collect();
                Column::new(BlockKind::Behaviour, people.table.features[column].clone(), false, values)
            }));
        }
        if let Some(encoder) = &sides.encoders.traits {
            columns.extend(trait_columns(encoder, &people.traits, &rows));
        }
        columns.retain(Column::varies);
        let features = columns.iter().map(|column| column.feature.clone()).collect();
        let cells = (0..rows.len()).map(|i| columns.iter().map(|column| column.values[i]).collect()).collect();
        let set = FeatureSet::new(features, sides.customers.clone(), cells);
        Self { columns, set }
    }

    /// A rule for each segment, where one can tell its customers from the others.
    pub fn rules(&self, labels: &[u32], k: usize) -> Vec<Option<SegmentRule>> {
        let every = labels.len().div_ceil(RULE_SAMPLE).max(1);
        let rows: Vec<usize> = (0..labels.len()).step_by(every).collect();
        let customers = rows.iter().map(|row| self.set.customers[*row].clone()).collect();
        let cells = rows.iter().map(|row| self.set.row(*row)).collect();
        let sample = FeatureSet::new(self.set.features.clone(), customers, cells);
        let labels: Vec<u32> = rows.iter().map(|row| labels[*row]).collect();
        let rules = Labelled::new(&sample, &labels, k)
            .and_then(|data| segment_rules(&data, RuleParams::for_customers(labels.len())));
        match rules {
            Ok(rules) if !self.columns.is_empty() => rules.iter().map(|rule| self.rule(rule)).collect(),
            _ => vec![None; k],
        }
    }

    fn rule(&self, rule: &Rule) -> Option<SegmentRule> {
        if rule.conditions.is_empty() {
            return None;
        }
        let texts: Vec<(String, String)> =
            rule.conditions.iter().map(|condition| self.condition(rule, condition)).collect();
        let (english, chinese): (Vec<String>, Vec<String>) = texts.into_iter().unzip();
        Some(SegmentRule {
            text_en: english.join(" and "),
            text_zh: chinese.join(" 且 "),
            precision: rule.fidelity.precision,
            recall: rule.fidelity.recall,
        })
    }

    fn condition(&self, rule: &Rule, condition: &Condition) -> (String, String) {
        let column = &self.columns[condition.feature];
        if column.is_binary {
            let (english, chinese) = (&column.feature.name_en, &column.feature.name_zh);
            return match condition.above {
                Some(_) => (english.to_string(), chinese.to_string()),
                None => (format!("not {english}"), format!("非 {chinese}")),
            };
        }
        let alone = Rule { conditions: vec![*condition], ..rule.clone() };
        (alone.text_en(&self.set.features), alone.text_zh(&self.set.features))
    }
}

/// How a segment's customers differ from everyone.
pub fn differences(described: &Described, labels: &[u32], segment: u32) -> Differences {
    let rows: Vec<usize> = (0..labels.len()).filter(|row| labels[*row] == segment).collect();
    let mut found: Vec<Difference> =
        described.columns.par_iter().filter_map(|column| column.difference(&rows)).collect();
    found.sort_by(|a, b| b.effect.abs().total_cmp(&a.effect.abs()));
    Differences(found)
}

impl Column {
    fn new(block: BlockKind, feature: Feature, is_binary: bool, values: Vec<Option<f64>>) -> Self {
        let scalings: &[Scaling] = match feature.kind {
            Kind::Count | Kind::Amount | Kind::Duration | Kind::Ratio => &[Scaling::Log1p, Scaling::Standard],
            _ => &[Scaling::Standard],
        };
        let scaler = Scaler::fit(scalings, &values);
        let scaled = values.iter().map(|value| scaler.apply(*value)).collect();
        let everyone = middle(values.iter().flatten().copied().collect(), is_binary);
        Self { block, feature, is_binary, values, scaled, everyone }
    }

    fn varies(&self) -> bool {
        let mut values = self.values.iter().flatten();
        let first = values.next();
        values.any(|value| Some(value) != first)
    }

    /// The interval is the normal one of a mean of part of a finite whole; one observation with everyone's spread is added to the
    /// segment's, so that a few equal ones are not taken for certain.
    fn difference(&self, rows: &[usize]) -> Option<Difference> {
        let scaled: Vec<f64> = rows.iter().filter_map(|row| self.scaled[*row]).collect();
        let n_everyone = self.scaled.iter().flatten().count() as f64;
        let n = scaled.len() as f64;
        if scaled.len() < 2 {
            return None;
        }
        let effect = scaled.iter().sum::<f64>() / n;
        let squares = scaled.iter().map(|value| (value - effect).powi(2)).sum::<f64>();
        let variance = (squares + 1.0) / n;
        let error = (variance / n * (1.0 - n / n_everyone).max(0.0)).sqrt();
        let values = rows.iter().filter_map(|row| self.values[*row]).collect();
        Some(Difference {
            block: self.block,
            feature: self.feature.id.to_string(),
            name_en: self.feature.name_en.to_string(),
            name_zh: self.feature.name_zh.to_string(),
            unit: self.feature.unit.to_string(),
            effect,
            low: effect - Z * error,
            high: effect + Z * error,
            segment: middle(values, self.is_binary),
            everyone: self.everyone,
        })
    }
}

/// The median, of shares of a whole the mean; 0 of nothing.
fn middle(mut values: Vec<f64>, is_binary: bool) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    if is_binary {
        return values.iter().sum::<f64>() / values.len() as f64;
    }
    values.sort_unstable_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len().is_multiple_of(2) { f64::midpoint(values[half - 1], values[half]) } else { values[half] }
}

/// Traits in their own units: a number as it is, a truth and each value of a category as 0 or 1.
fn trait_columns(encoder: &TraitEncoder, traits: &[Map<String, Value>], rows: &[usize]) -> Vec<Column> {
    let of = |name: &str, value: Option<&str>, kind: Kind, read: &dyn Fn(&Value) -> Option<f64>| {
        let shown = value.map_or(name.to_owned(), |value| format!("{name}={value}"));
        let feature = Feature {
            id: format!("trait:{shown}").into(),
            name_en: shown.clone().into(),
            name_zh: shown.into(),
            unit: if kind == Kind::Trait { SHARE.into() } else { "".into() },
            kind,
            definition: "".into(),
            missing: "the customer has no such trait".into(),
        };
        let values = rows.iter().map(|row| traits[*row].get(name).and_then(read)).collect();
        Column::new(BlockKind::Traits, feature, kind == Kind::Trait, values)
    };
    let mut columns = Vec::new();
    for (name, kind) in &encoder.traits {
        match kind {
            TraitKind::Number { .. } => columns.push(of(name, None, Kind::Score, &Value::as_f64)),
            TraitKind::Boolean => {
                columns.push(of(name, None, Kind::Trait, &|value| value.as_bool().map(f64::from)));
            }
            TraitKind::Category { values } => columns.extend(values.iter().map(|asked| {
                of(name, Some(asked), Kind::Trait, &|value| {
                    value.as_str().map(|text| f64::from(u8::from(text == asked)))
                })
            })),
        }
    }
    columns
}
