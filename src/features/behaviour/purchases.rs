//! What a customer bought: how lately, how often, for how much, how broadly, and what they gave back.

use super::{Scope, Tenure};
use crate::domain::{ItemId, Money, OrderId, Timestamp};
use crate::features::cutoff::{Period, days_between};
use crate::features::feature::{Entry, Kind, NEVER, change, mean, mean_and_deviation, share};
use crate::features::history::{History, Purchase};
use std::collections::{BTreeMap, BTreeSet};

/// Sums over the orders until the cut-off: whole numbers, and times in their order.
#[derive(Debug, Default)]
pub(super) struct Purchases<'a> {
    times: Vec<Timestamp>,
    /// Orders whose amount is in the currency that is reckoned in.
    n_priced: usize,
    paid_minor: i128,
    discount_minor: i128,
    refunded_minor: i128,
    n_returned: usize,
    n_with_lines: usize,
    quantity: u64,
    distinct_items: usize,
    /// Pieces a category.
    pub categories: BTreeMap<&'a str, u64>,
    pub items: BTreeSet<&'a ItemId>,
    n_last: usize,
    n_before: usize,
    paid_last_minor: i128,
    paid_before_minor: i128,
    units_per_minor: f64,
    days_since_last: Option<f64>,
    tenure: Tenure,
}

impl<'a> Purchases<'a> {
    pub fn of(history: &'a History, scope: &Scope<'a>, tenure: Tenure) -> Self {
        let mut sums = Self { units_per_minor: scope.units_per_minor(), tenure, ..Self::default() };
        let returns = Returns::of(history, scope);
        for (time, id, purchase) in history.orders.until(scope.cutoff.at) {
            sums.add_amounts(time, purchase, returns.of_order(id), scope);
            sums.add_lines(purchase, scope);
            sums.times.push(time);
        }
        sums.days_since_last = sums.times.last().map(|last| scope.cutoff.days_since(*last));
        sums
    }

    fn add_amounts(&mut self, time: Timestamp, purchase: &Purchase, returned: Option<&Returned>, scope: &Scope<'_>) {
        self.n_returned += usize::from(returned.is_some());
        let period = scope.cutoff.period(time);
        self.n_last += usize::from(period == Period::Last);
        self.n_before += usize::from(period == Period::Before);
        let Some(total) = scope.counted(&purchase.total) else { return };
        let total = total.max(0);
        let refunded = returned.map_or(0, |returned| returned.minor(total));
        self.n_priced += 1;
        self.paid_minor += i128::from(total);
        self.discount_minor += i128::from(purchase.discount_minor.max(0));
        self.refunded_minor += i128::from(refunded);
        let kept = i128::from(total - refunded);
        match period {
            Period::Last => self.paid_last_minor += kept,
            Period::Before => self.paid_before_minor += kept,
            Period::Earlier => {}
        }
    }

    fn add_lines(&mut self, purchase: &'a Purchase, scope: &Scope<'a>) {
        if purchase.lines.is_empty() {
            return;
        }
        self.n_with_lines += 1;
        self.distinct_items += purchase.lines.iter().map(|line| &line.item).collect::<BTreeSet<_>>().len();
        for line in &purchase.lines {
            self.items.insert(&line.item);
            self.quantity += u64::from(line.quantity);
            if let Some(category) = scope.category(line) {
                *self.categories.entry(category).or_default() += u64::from(line.quantity);
            }
        }
    }

    fn gaps_days(&self) -> Vec<f64> {
        self.times.windows(2).map(|pair| days_between(pair[0], pair[1])).collect()
    }

    fn units(&self, minor: i128) -> f64 {
        minor as f64 * self.units_per_minor
    }

    /// The share of all pieces with a category that are of this one.
    pub fn category_share(&self, category: &str) -> Option<f64> {
        let pieces: u64 = self.categories.values().sum();
        share(self.categories.get(category).copied().unwrap_or_default() as f64, pieces as f64)
    }

    /// The effective number of categories, exp of Shannon's entropy (Hill 1973, order 1).
    fn breadth(&self) -> Option<f64> {
        let pieces: u64 = self.categories.values().sum();
        let shares = self.categories.values().filter(|n| **n > 0).map(|n| *n as f64 / pieces as f64);
        (pieces > 0).then(|| shares.map(|p| -p * p.ln()).sum::<f64>().exp())
    }
}

/// What was given back of one order.
#[derive(Debug, Default)]
struct Returned {
    all: bool,
    minor: i64,
}

impl Returned {
    /// Never more than was paid.
    fn minor(&self, total: i64) -> i64 {
        if self.all { total } else { self.minor.clamp(0, total) }
    }
}

#[derive(Default)]
struct Returns<'a>(BTreeMap<&'a OrderId, Returned>);

impl<'a> Returns<'a> {
    fn of(history: &'a History, scope: &Scope<'_>) -> Self {
        let mut returns = Self::default();
        for (_, _, given) in history.refunds.until(scope.cutoff.at) {
            let entry = returns.0.entry(&given.order).or_default();
            let counted = given.amount.as_ref().map(|amount: &Money| scope.counted(amount).unwrap_or_default());
            entry.all |= counted.is_none();
            entry.minor = entry.minor.saturating_add(counted.unwrap_or_default());
        }
        returns
    }

    fn of_order(&self, id: &OrderId) -> Option<&Returned> {
        self.0.get(id)
    }
}

const NO_ORDER: &str = "never ordered";

impl Purchases<'_> {
    /// An array, not a slice: a slice for all time would want facts for all time.
    pub const FEATURES: [Entry<Self>; 14] = [
        Entry {
            id: "recency",
            names: ("Days since the last order", "距上次下单天数"),
            unit: "days",
            kind: Kind::Duration,
            definition: "cut-off minus the time of the latest order",
            missing: NO_ORDER,
            value: |p| p.days_since_last,
        },
        Entry {
            id: "frequency",
            names: ("Orders", "订单数"),
            unit: "orders",
            kind: Kind::Count,
            definition: "orders until the cut-off",
            missing: NEVER,
            value: |p| Some(p.times.len() as f64),
        },
        Entry {
            id: "monetary",
            names: ("Money spent", "消费金额"),
            unit: "major units",
            kind: Kind::Amount,
            definition: "sum of order totals less what was refunded of them, in the shop's currency",
            missing: NEVER,
            value: |p| Some(p.units(p.paid_minor - p.refunded_minor)),
        },
        Entry {
            id: "average_order",
            names: ("Average order", "客单价"),
            unit: "major units",
            kind: Kind::Amount,
            definition: "mean order total before refunds",
            missing: "no order with an amount in the shop's currency",
            value: |p| mean(p.units(p.paid_minor), p.n_priced),
        },
        Entry {
            id: "gap_mean",
            names: ("Days between orders", "平均购买间隔"),
            unit: "days",
            kind: Kind::Duration,
            definition: "mean time from an order to the next",
            missing: "fewer than two orders",
            value: |p| mean_and_deviation(&p.gaps_days()).map(|(mean, _)| mean),
        },
        Entry {
            id: "gap_spread",
            names: ("Spread of the gaps between orders", "购买间隔波动"),
            unit: "days",
            kind: Kind::Duration,
            definition: "standard deviation of the times from an order to the next",
            missing: "fewer than three orders",
            value: |p| (p.times.len() > 2).then(|| mean_and_deviation(&p.gaps_days()))?.map(|(_, deviation)| deviation),
        },
        Entry {
            id: "basket_size",
            names: ("Pieces an order", "每单件数"),
            unit: "pieces",
            kind: Kind::Ratio,
            definition: "mean quantity of the orders that have lines",
            missing: "no order with lines",
            value: |p| mean(p.quantity as f64, p.n_with_lines),
        },
        Entry {
            id: "basket_breadth",
            names: ("Different items an order", "每单品种数"),
            unit: "items",
            kind: Kind::Ratio,
            definition: "mean number of different items of the orders that have lines",
            missing: "no order with lines",
            value: |p| mean(p.distinct_items as f64, p.n_with_lines),
        },
        Entry {
            id: "category_breadth",
            names: ("Breadth of categories", "品类广度"),
            unit: "categories",
            kind: Kind::Ratio,
            definition: "effective number of categories: exp of the entropy of their shares of the pieces bought",
            missing: "no line with a category",
            value: Purchases::breadth,
        },
        Entry {
            id: "discount_rate",
            names: ("Discount rate", "折扣率"),
            unit: "",
            kind: Kind::Share,
            definition: "what was taken off the price, over the price before that",
            missing: "no order with an amount",
            value: |p| share(p.discount_minor as f64, (p.paid_minor + p.discount_minor) as f64),
        },
        Entry {
            id: "return_rate",
            names: ("Orders with a return", "退货订单占比"),
            unit: "",
            kind: Kind::Share,
            definition: "orders with a refund or called off, over all orders",
            missing: NO_ORDER,
            value: |p| share(p.n_returned as f64, p.times.len() as f64),
        },
        Entry {
            id: "refund_share",
            names: ("Money given back", "退款金额占比"),
            unit: "",
            kind: Kind::Share,
            definition: "what was refunded, over what was paid",
            missing: "nothing was paid",
            value: |p| share(p.refunded_minor as f64, p.paid_minor as f64),
        },
        Entry {
            id: "order_trend",
            names: ("Trend of orders", "订单趋势"),
            unit: "",
            kind: Kind::Change,
            definition: "orders of the last period against the one before, (last - before) / (last + before)",
            missing: "no order in either period, or too new a customer to have a period before",
            value: |p| p.tenure.had_period_before.then(|| change(p.n_last as f64, p.n_before as f64))?,
        },
        Entry {
            id: "spend_trend",
            names: ("Trend of spending", "消费趋势"),
            unit: "",
            kind: Kind::Change,
            definition: "money kept of the orders of the last period against the one before",
            missing: "nothing spent in either period, or too new a customer to have a period before",
            value: |p| {
                p.tenure.had_period_before.then(|| change(p.paid_last_minor as f64, p.paid_before_minor as f64))?
            },
        },
    ];
}
