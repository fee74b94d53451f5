//! A short rule for each segment: "orders above 5 and days since the last one at most 30", and how far to trust it.

use super::split::round_between;
use super::tree::{Fidelity, Tree, TreeParams};
use super::{ExplainError, Labelled};
use crate::features::feature::Feature;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How long a rule may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleParams {
    /// Questions that may be asked for a rule; two about one feature make one condition.
    pub max_questions: usize,
    /// Customers that each answer has to tell apart, at least.
    pub min_leaf: usize,
}

impl RuleParams {
    pub fn for_customers(n_customers: usize) -> Self {
        Self { max_questions: 3, min_leaf: (n_customers / 200).max(5) }
    }
}

/// What a rule asks of one feature.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// Column.
    pub feature: usize,
    pub above: Option<f64>,
    pub at_most: Option<f64>,
    /// Whether somebody whose value is missing meets it.
    pub or_unknown: bool,
}

/// A rule for one segment. Who meets all conditions is taken to be in it; without a condition that is everybody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    pub segment: u32,
    /// In the order of their features.
    pub conditions: Vec<Condition>,
    /// Among the customers it was made from.
    pub fidelity: Fidelity,
    /// How many of them meet it.
    pub n_matched: u64,
}

/// A rule for every segment, empty ones too (which no rule can tell from the rest). For each segment a tree asks whether a customer
/// is in it; the node that hits the segment best (by F1; of equals the nearest to the root) is the rule, less the conditions it is
/// no worse without.
pub fn segment_rules(data: &Labelled<'_>, params: RuleParams) -> Result<Vec<Rule>, ExplainError> {
    (0..data.n_segments as u32).map(|segment| segment_rule(data, segment, params)).collect()
}

fn segment_rule(data: &Labelled<'_>, segment: u32, params: RuleParams) -> Result<Rule, ExplainError> {
    let (values, labels) = data.one_against_rest(segment);
    let asked = Labelled::of_values(values, data.width, &labels, 2)?;
    let tree = Tree::fit(&asked, TreeParams { max_depth: params.max_questions, min_leaf: params.min_leaf });
    let n_there = tree.nodes[0].counts[1];
    let f1 = |node: usize| {
        let counts = &tree.nodes[node].counts;
        Fidelity::of(counts[1], counts[0] + counts[1], n_there).f1()
    };
    // Parents come before their children; everybody is a rule only where nobody can be told apart.
    let nodes = 1..tree.nodes.len();
    let best = nodes.reduce(|a, b| if f1(b) > f1(a) { b } else { a }).unwrap_or(0);
    let rule = Rule::of(segment, conditions(data, &tree, best), data);
    Ok(shortened(rule, data))
}

/// The questions on the way to a node, joined to one condition a feature.
fn conditions(data: &Labelled<'_>, tree: &Tree, node: usize) -> Vec<Condition> {
    let mut joined = BTreeMap::<usize, Condition>::new();
    for (split, answer) in tree.path(node) {
        let feature = split.feature;
        let condition =
            joined.entry(feature).or_insert(Condition { feature, above: None, at_most: None, or_unknown: true });
        if answer {
            condition.at_most = Some(condition.at_most.map_or(split.threshold, |limit| limit.min(split.threshold)));
            condition.or_unknown = false;
        } else {
            condition.above = Some(condition.above.map_or(split.threshold, |limit| limit.max(split.threshold)));
        }
    }
    let has_unknown = |feature: usize| (0..data.len()).any(|row| data.row(row)[feature].is_infinite());
    let mut conditions: Vec<Condition> = joined.into_values().collect();
    conditions.iter_mut().for_each(|condition| condition.or_unknown &= has_unknown(condition.feature));
    conditions
}

/// Without each condition it is no worse without.
fn shortened(mut rule: Rule, data: &Labelled<'_>) -> Rule {
    let mut i = rule.conditions.len();
    while i > 0 && rule.conditions.len() > 1 {
        i -= 1;
        let mut conditions = rule.conditions.clone();
        conditions.remove(i);
        let shorter = Rule::of(rule.segment, conditions, data);
        if shorter.fidelity.f1() >= rule.fidelity.f1() {
            rule = shorter;
        }
    }
    rule
}

impl Rule {
    fn of(segment: u32, conditions: Vec<Condition>, data: &Labelled<'_>) -> Self {
        let mut rule = Self { segment, conditions, fidelity: Fidelity::of(0, 0, 0), n_matched: 0 };
        let (mut n_hit, mut n_there) = (0, 0);
        for (i, label) in data.labels.iter().enumerate() {
            let (is_there, is_matched) = (*label == segment, rule.matches_values(data.row(i)));
            n_there += u64::from(is_there);
            rule.n_matched += u64::from(is_matched);
            n_hit += u64::from(is_there && is_matched);
        }
        rule.fidelity = Fidelity::of(n_hit, rule.n_matched, n_there);
        rule
    }

    fn matches_values(&self, row: &[f64]) -> bool {
        self.conditions.iter().all(|condition| condition.holds(Some(row[condition.feature]).filter(|x| x.is_finite())))
    }

    /// Whether a customer with this row `[d]` of the set's features meets the rule.
    pub fn matches(&self, row: &[Option<f64>]) -> bool {
        self.conditions.iter().all(|condition| condition.holds(row[condition.feature]))
    }

    /// The rule as a sentence's part, such as `Orders > 5 and Days since the last order ≤ 30`.
    pub fn text_en(&self, features: &[Feature]) -> String {
        let words =
            Words { name: |feature| &feature.name_en, or_unknown: " or unknown", and: " and ", all: "everybody" };
        self.text(features, &words)
    }

    /// The same in Chinese, such as `订单数 > 5 且 距上次下单天数 ≤ 30`.
    pub fn text_zh(&self, features: &[Feature]) -> String {
        let words =
            Words { name: |feature| &feature.name_zh, or_unknown: " 或未知", and: " 且 ", all: "所有客户" };
        self.text(features, &words)
    }

    fn text(&self, features: &[Feature], words: &Words) -> String {
        if self.conditions.is_empty() {
            return words.all.to_owned();
        }
        let shown = self.conditions.iter().map(|condition| condition.text(&features[condition.feature], words));
        shown.collect::<Vec<_>>().join(words.and)
    }
}

/// What differs between languages.
struct Words {
    name: fn(&Feature) -> &str,
    or_unknown: &'static str,
    and: &'static str,
    all: &'static str,
}

impl Condition {
    pub fn holds(&self, value: Option<f64>) -> bool {
        let within = |x: f64| self.above.is_none_or(|limit| x > limit) && self.at_most.is_none_or(|limit| x <= limit);
        value.map_or(self.or_unknown, within)
    }

    fn text(&self, feature: &Feature, words: &Words) -> String {
        let name = (words.name)(feature);
        let or_unknown = if self.or_unknown { words.or_unknown } else { "" };
        match (self.above, self.at_most) {
            (Some(above), Some(at_most)) => format!("{} < {name} ≤ {}", shown(above), shown(at_most)),
            (Some(above), None) => format!("{name} > {}{or_unknown}", shown(above)),
            (None, Some(at_most)) => format!("{name} ≤ {}", shown(at_most)),
            (None, None) => format!("{name}{or_unknown}"),
        }
    }
}

/// A threshold with at most six digits; it was chosen with the fewest that tell its neighbours apart.
fn shown(threshold: f64) -> String {
    let short =
        round_between(threshold * (1.0 - 5e-7 * threshold.signum()), threshold * (1.0 + 5e-7 * threshold.signum()));
    format!("{short}")
}
