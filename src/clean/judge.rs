//! The verdict on a fact: which rules it breaks, what is mended, whether it is kept.

use super::amounts::Amounts;
use super::currencies::Currencies;
use super::review_text;
use super::rules::Action;
use super::settings::CleaningSettings;
use super::tongue;
use crate::domain::{
    ActivityKind, CustomerId, Event, Fact, JudgedKind, Mark, Marks, Money, Order, Refund, Review, Rule, Timestamp,
    Told, Twin,
};
use serde_json::Value;
use std::collections::HashMap;

/// A workspace's rules, ready to be asked.
#[derive(Debug, Clone, Default)]
pub struct Judge {
    pub settings: CleaningSettings,
    /// The workspace's table, where it has one.
    pub currencies: Option<Currencies>,
}

/// What is done with a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verdict {
    pub marks: Marks,
    /// Why it is left out, and which part of it is the reason.
    pub rejected: Option<(JudgedKind, Rule)>,
}

/// What a fact is judged by beside itself.
pub struct Circumstances<'a> {
    /// When it arrived.
    pub now: Timestamp,
    /// Whether its customer told the same before under another id.
    pub is_repeated: bool,
    pub amounts: &'a mut Amounts,
}

/// Names that shops give to amounts.
const AMOUNT_NAMES: [&str; 7] = ["total", "revenue", "value", "amount", "price", "subtotal", "refund"];

impl Judge {
    /// What may repeat something that was told before: a place among the facts, and what to look for. What an event tells counts as
    /// the event.
    pub fn twins<'a>(&self, facts: &'a [Fact]) -> Vec<(usize, Twin<'a>)> {
        facts.iter().enumerate().filter_map(|(place, fact)| Some((place, self.twin(fact)?))).collect()
    }

    fn twin<'a>(&self, fact: &'a Fact) -> Option<Twin<'a>> {
        let limits = &self.settings.limits;
        match fact {
            Fact::Review(review) | Fact::Event(Event { told: Some(Told::Review(review)), .. }) => {
                let is_telling = review.text.as_str().trim().len() >= limits.repeated_text_bytes;
                (is_telling && self.looks(Rule::RepeatedText)).then_some(Twin::Review(review))
            }
            Fact::Order(order) | Fact::Event(Event { told: Some(Told::Order(order)), .. }) => {
                // Midnight stands for a day without an hour: two equal orders of a day are two orders.
                let is_timed = order.time.as_second().rem_euclid(24 * 60 * 60) != 0;
                let is_asked = is_timed && order.total.minor > 0 && self.looks(Rule::RepeatedOrder);
                is_asked.then_some(Twin::Order(order, limits.repeated_order_s))
            }
            _ => None,
        }
    }

    /// Judges a fact, and mends it where the workspace says so. A review gets its language.
    pub fn judge(&self, fact: &mut Fact, with: &mut Circumstances<'_>) -> Verdict {
        let mut verdict = Verdict::default();
        match fact {
            Fact::Review(review) => verdict.take(JudgedKind::Review, false, self.review(review, with)),
            Fact::Order(order) => verdict.take(JudgedKind::Order, false, self.order(order, with)),
            Fact::Refund(refund) => verdict.take(JudgedKind::Refund, false, self.refund(refund, with)),
            Fact::Event(event) => {
                verdict.take(JudgedKind::Event, false, self.event(event, with));
                match &mut event.told {
                    None => {}
                    Some(Told::Order(order)) => verdict.take(JudgedKind::Order, true, self.order(order, with)),
                    Some(Told::Refund(refund)) => verdict.take(JudgedKind::Refund, true, self.refund(refund, with)),
                    Some(Told::Review(review)) => verdict.take(JudgedKind::Review, true, self.review(review, with)),
                }
            }
            Fact::Identify(_) | Fact::Alias(_) | Fact::Group(_) | Fact::Item(_) | Fact::Consent(_) => {}
        }
        verdict
    }

    fn looks(&self, rule: Rule) -> bool {
        self.settings.action(rule) != Action::Off
    }

    fn review(&self, review: &mut Review, with: &mut Circumstances<'_>) -> Found {
        let mut found = Found::default();
        self.time(&mut review.time, with.now, &mut found);
        let limits = &self.settings.limits;
        if let Some(rating) = &mut review.rating
            && !(limits.rating_min..=limits.rating_max).contains(rating)
        {
            self.break_rule(&mut found, Rule::RatingOutOfScale, || {
                *rating = rating.clamp(limits.rating_min, limits.rating_max);
                true
            });
        }
        self.words(review, &mut found);
        if with.is_repeated {
            self.break_rule(&mut found, Rule::RepeatedText, || false);
        }
        if review.item.is_none() {
            self.break_rule(&mut found, Rule::NoItem, || false);
        }
        if review.tongue.is_none() {
            review.tongue = Some(tongue::tongue(review.text.as_str()));
        }
        found
    }

    fn words(&self, review: &mut Review, found: &mut Found) {
        if self.looks(Rule::NoWords) && review_text::has_no_words(review.text.as_str()) {
            self.break_rule(found, Rule::NoWords, || false);
        }
        if self.looks(Rule::TextFragment) && review_text::is_fragment(review.text.as_str()) {
            self.break_rule(found, Rule::TextFragment, || false);
        }
        if self.looks(Rule::BrokenText) && review_text::is_broken(review.text.as_str()) {
            self.break_rule(found, Rule::BrokenText, || match review_text::mended(review.text.as_str()) {
                Some(mended) => {
                    review.text = mended;
                    true
                }
                None => false,
            });
        }
    }

    fn order(&self, order: &mut Order, with: &mut Circumstances<'_>) -> Found {
        let mut found = Found::default();
        self.time(&mut order.time, with.now, &mut found);
        let is_below = |price: &Option<i64>| price.is_some_and(|minor| minor < 0);
        let has_negative_price = order.lines.iter().any(|line| is_below(&line.price_minor));
        if order.discount_minor < 0 || order.total.minor < 0 || has_negative_price {
            self.break_rule(&mut found, Rule::NegativeAmount, || {
                order.discount_minor = order.discount_minor.saturating_abs();
                order
                    .lines
                    .iter_mut()
                    .filter(|line| is_below(&line.price_minor))
                    .for_each(|line| line.price_minor = None);
                order.total.minor >= 0
            });
        }
        if order.lines.iter().any(|line| line.quantity > self.settings.limits.quantity_max) {
            self.break_rule(&mut found, Rule::AbsurdQuantity, || false);
        }
        if order.lines.is_empty() {
            self.break_rule(&mut found, Rule::NoLines, || false);
        }
        if with.is_repeated {
            self.break_rule(&mut found, Rule::RepeatedOrder, || false);
        }
        self.money(&order.total, order.time, with, &mut found);
        found
    }

    fn refund(&self, refund: &mut Refund, with: &mut Circumstances<'_>) -> Found {
        let mut found = Found::default();
        self.time(&mut refund.time, with.now, &mut found);
        if let Some(amount) = &mut refund.amount {
            if amount.minor < 0 {
                self.break_rule(&mut found, Rule::NegativeAmount, || {
                    amount.minor = amount.minor.saturating_abs();
                    true
                });
            }
            let amount = *amount;
            self.money(&amount, refund.time, with, &mut found);
        }
        found
    }

    fn event(&self, event: &mut Event, with: &mut Circumstances<'_>) -> Found {
        let mut found = Found::default();
        self.time(&mut event.time, with.now, &mut found);
        let kind = event.activity.as_ref().map(|activity| activity.kind);
        let tells = matches!(kind, Some(ActivityKind::Order | ActivityKind::Refund | ActivityKind::Cancel));
        if tells && event.told.is_none() {
            let is_below = |name: &&str| event.properties.get(*name).and_then(as_number).is_some_and(|n| n < 0.0);
            if AMOUNT_NAMES.iter().any(is_below) {
                self.break_rule(&mut found, Rule::NegativeAmount, || false);
            } else {
                self.break_rule(&mut found, Rule::UntoldPurchase, || false);
            }
        }
        found
    }

    fn time(&self, time: &mut Timestamp, now: Timestamp, found: &mut Found) {
        let limits = &self.settings.limits;
        if time.as_second() - now.as_second() > limits.future_s {
            self.break_rule(found, Rule::FutureTime, || {
                *time = now;
                true
            });
        } else if *time < limits.earliest {
            self.break_rule(found, Rule::AncientTime, || {
                *time = now;
                true
            });
        }
    }

    fn money(&self, amount: &Money, time: Timestamp, with: &mut Circumstances<'_>, found: &mut Found) {
        if amount.currency.is_none() && amount.minor != 0 {
            self.break_rule(found, Rule::NoCurrency, || false);
        }
        if let (Some(currencies), Some(_)) = (&self.currencies, amount.currency)
            && currencies.in_base(amount, time).is_none()
        {
            self.break_rule(found, Rule::NoRate, || false);
        }
        if self.looks(Rule::OutlyingAmount) {
            let limits = &self.settings.limits;
            let deviations = with.amounts.deviations(amount, limits.amount_sample);
            if deviations.is_some_and(|deviations| deviations > limits.amount_deviations) {
                self.break_rule(found, Rule::OutlyingAmount, || false);
            }
            with.amounts.add(amount);
        }
    }

    /// Notes a broken rule. `mend` puts it right, and says whether it could.
    fn break_rule(&self, found: &mut Found, rule: Rule, mend: impl FnOnce() -> bool) {
        match self.settings.action(rule) {
            Action::Off => {}
            Action::Flag => found.mark.flags.add(rule),
            Action::Mend => {
                found.mark.flags.add(rule);
                if mend() {
                    found.mark.mended.add(rule);
                }
            }
            Action::Reject => found.rejected = found.rejected.or(Some(rule)),
        }
    }
}

/// What was found of one part of a fact.
#[derive(Default)]
struct Found {
    mark: Mark,
    rejected: Option<Rule>,
}

impl Verdict {
    fn take(&mut self, kind: JudgedKind, is_told: bool, found: Found) {
        let place = if is_told { &mut self.marks.told } else { &mut self.marks.own };
        *place = found.mark;
        self.rejected = self.rejected.or(found.rejected.map(|rule| (kind, rule)));
    }
}

fn as_number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// Which of these repeat one before them.
pub fn repeated_among(twins: &[(usize, Twin<'_>)]) -> Vec<bool> {
    let mut reviews: HashMap<(&CustomerId, i64), &Review> = HashMap::new();
    let mut orders: HashMap<(&CustomerId, i64), Vec<&Order>> = HashMap::new();
    let mut repeated = Vec::with_capacity(twins.len());
    for (_, twin) in twins {
        repeated.push(match *twin {
            Twin::Review(review) => {
                let first = reviews.entry((&review.customer, review.text.fingerprint())).or_insert(review);
                first.id != review.id
            }
            Twin::Order(order, within_s) => {
                let same = orders.entry((&order.customer, order.total.minor)).or_default();
                let is_repeated = same.iter().any(|other| are_twins(other, order, within_s));
                same.push(order);
                is_repeated
            }
        });
    }
    repeated
}

fn are_twins(one: &Order, other: &Order, within_s: i64) -> bool {
    let apart = one.time.as_second().abs_diff(other.time.as_second());
    one.id != other.id && one.total == other.total && one.lines == other.lines && apart <= within_s.unsigned_abs()
}
