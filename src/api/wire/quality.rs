//! What was found of facts, as the API shows it.

use crate::clean::{CleaningSettings, RULES};
use crate::domain::{JudgedKind, Outcome, Rule, Timestamp};
use crate::store::{Counts, QualityCount};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The newest days and imports that are told.
const DAYS: usize = 92;
const IMPORTS: usize = 100;

/// `GET /v1/quality`. Counts tell what came, once a fact: one that is replaced or erased later is still counted.
#[derive(Debug, Serialize, ToSchema)]
pub struct QualityBody {
    /// Facts that are there now.
    pub facts: FactCounts,
    /// Every rule, the most broken first.
    pub rules: Vec<RuleBody>,
    /// The newest 92 days on which something was found, newest first.
    pub days: Vec<DayBody>,
    /// The newest 100 imports of which something was found, newest first.
    pub imports: Vec<ImportQuality>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct FactCounts {
    pub reviews: u64,
    pub events: u64,
    pub orders: u64,
}

/// What was done with facts that broke a rule.
#[derive(Debug, Clone, Copy, Default, Serialize, ToSchema)]
pub struct OutcomeCounts {
    pub flagged: u64,
    pub mended: u64,
    pub rejected: u64,
}

impl OutcomeCounts {
    fn add(&mut self, outcome: Outcome, n: u64) {
        match outcome {
            Outcome::Flagged => self.flagged += n,
            Outcome::Mended => self.mended += n,
            Outcome::Rejected => self.rejected += n,
        }
    }

    fn all(self) -> u64 {
        self.flagged + self.mended + self.rejected
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct RuleBody {
    pub rule: &'static str,
    /// What is wrong, as the rest of a sentence about the fact.
    pub meaning: &'static str,
    /// What an operator can do about many of them.
    pub advice: &'static str,
    /// `off`, `flag`, `mend` or `reject`: what is done from now on.
    pub action: &'static str,
    #[serde(flatten)]
    pub counts: OutcomeCounts,
    /// By kind of fact: `review`, `event`, `order`, `refund`.
    pub by_kind: BTreeMap<&'static str, OutcomeCounts>,
    /// By kind, the ids of the newest facts that are there and have the flag.
    pub examples: BTreeMap<&'static str, Vec<String>>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DayBody {
    /// In UTC, by arrival.
    pub day: String,
    pub rules: BTreeMap<&'static str, OutcomeCounts>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ImportQuality {
    pub job_id: String,
    pub rules: BTreeMap<&'static str, OutcomeCounts>,
}

/// Ids of facts of one kind with one flag.
pub struct RuleExamples {
    pub rule: Rule,
    pub kind: JudgedKind,
    pub ids: Vec<String>,
}

impl QualityBody {
    pub fn new(
        facts: Counts,
        settings: &CleaningSettings,
        counts: &[QualityCount],
        examples: Vec<RuleExamples>,
    ) -> Self {
        let mut rules: Vec<RuleBody> = RULES.iter().map(|about| rule(about.rule, settings, counts)).collect();
        for example in examples.into_iter().filter(|example| !example.ids.is_empty()) {
            rules[example.rule as usize].examples.insert(example.kind.name(), example.ids);
        }
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.counts.all()));
        let days = newest(counts.iter().map(|count| (count.day, count)), DAYS);
        let days = days.into_iter().map(|(day, rules)| DayBody { day: date(day), rules });
        let of_imports = counts.iter().filter_map(|count| Some((count.import?.0, count)));
        // The ids of jobs are in the order they were made.
        let imports = newest(of_imports, IMPORTS);
        let imports = imports.into_iter().map(|(job, rules)| ImportQuality { job_id: job.to_string(), rules });
        let facts = FactCounts { reviews: facts.reviews, events: facts.events, orders: facts.orders };
        Self { facts, rules, days: days.collect(), imports: imports.collect() }
    }
}

fn rule(rule: Rule, settings: &CleaningSettings, counts: &[QualityCount]) -> RuleBody {
    let about = crate::clean::about(rule);
    let mut all = OutcomeCounts::default();
    let mut by_kind: BTreeMap<_, OutcomeCounts> = BTreeMap::new();
    for count in counts.iter().filter(|count| count.rule == rule) {
        all.add(count.outcome, count.n);
        by_kind.entry(count.kind.name()).or_default().add(count.outcome, count.n);
    }
    RuleBody {
        rule: rule.code(),
        meaning: about.meaning,
        advice: about.advice,
        action: settings.action(rule).name(),
        counts: all,
        by_kind,
        examples: BTreeMap::new(),
    }
}

/// The groups with the greatest keys, the greatest first.
fn newest<'a, K: Ord>(
    counts: impl Iterator<Item = (K, &'a QualityCount)>,
    limit: usize,
) -> Vec<(K, BTreeMap<&'static str, OutcomeCounts>)> {
    let mut groups: BTreeMap<K, BTreeMap<&'static str, OutcomeCounts>> = BTreeMap::new();
    for (key, count) in counts {
        let rules = groups.entry(key).or_default();
        rules.entry(count.rule.code()).or_default().add(count.outcome, count.n);
    }
    groups.into_iter().rev().take(limit).collect()
}

fn date(day: i64) -> String {
    let midnight = Timestamp::from_second(day * 24 * 60 * 60).unwrap_or_default();
    midnight.to_string().split('T').next().unwrap_or_default().to_owned()
}

/// The action of each rule and the bounds they go by; what is left out has its default. See docs/quality.md.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what CleaningSettings parses")]
pub struct RulesBody {
    /// By rule: `off`, `flag`, `mend` (where it can be mended) or `reject`.
    #[schema(value_type = Option<Object>)]
    actions: Option<BTreeMap<String, String>>,
    /// `future_s`, `earliest`, `rating_min`, `rating_max`, `amount_deviations`, `amount_sample`, `quantity_max`,
    /// `repeated_text_bytes`, `repeated_order_s`.
    #[schema(value_type = Option<Object>)]
    limits: Option<BTreeMap<String, f64>>,
}

/// What currencies are worth in the base.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what Currencies parses")]
pub struct CurrenciesBody {
    /// ISO 4217.
    base: String,
    rates: Vec<RateBody>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what Currencies parses")]
pub struct RateBody {
    currency: String,
    /// From this day or moment on, until the currency's next rate.
    from: String,
    /// How many units of the base one unit is worth: a decimal number above 0 of at most 15 digits.
    rate: String,
}
