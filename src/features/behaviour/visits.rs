//! When and how a customer comes: hours, weekdays, channel, and what looking around leads to.

use super::purchases::Purchases;
use super::{Scope, Tenure};
use crate::domain::{ActivityKind, EventKind, ItemId, Timestamp};
use crate::features::cutoff::Period;
use crate::features::feature::{Entry, Kind, NEVER, change, share};
use crate::features::history::History;
use std::collections::BTreeSet;
use std::f64::consts::TAU;

/// Counts over all that happened until the cut-off.
#[derive(Debug, Default)]
pub(super) struct Visits<'a> {
    /// Orders, reviews and events by the hour of the day. An event that only tells of an order or a review is not counted twice.
    hours: [u64; 24],
    weekdays: [u64; 7],
    n_pages: u64,
    n_screens: u64,
    n_views: u64,
    n_searches: u64,
    viewed: BTreeSet<&'a ItemId>,
    added: BTreeSet<&'a ItemId>,
    n_viewed_bought: usize,
    n_added_bought: usize,
    n_last: u64,
    n_before: u64,
    tenure: Tenure,
}

impl<'a> Visits<'a> {
    pub fn of(history: &'a History, scope: &Scope<'_>, purchases: &Purchases<'_>, tenure: Tenure) -> Self {
        let mut visits = Self { tenure, ..Self::default() };
        let at = scope.cutoff.at;
        history.orders.until(at).for_each(|(time, _, _)| visits.add_time(time, scope));
        history.reviews.until(at).for_each(|(time, _, _)| visits.add_time(time, scope));
        for (time, _, doing) in history.doings.until(at) {
            if !doing.kind.is_some_and(tells_a_fact) {
                visits.add_time(time, scope);
            }
            visits.add_call(doing.call);
            visits.add_activity(doing.kind, doing.item.as_ref());
        }
        visits.n_viewed_bought = visits.viewed.iter().filter(|item| purchases.items.contains(*item)).count();
        visits.n_added_bought = visits.added.iter().filter(|item| purchases.items.contains(*item)).count();
        visits
    }

    fn add_time(&mut self, time: Timestamp, scope: &Scope<'_>) {
        self.hours[scope.cutoff.hour(time)] += 1;
        self.weekdays[scope.cutoff.weekday(time)] += 1;
        match scope.cutoff.period(time) {
            Period::Last => self.n_last += 1,
            Period::Before => self.n_before += 1,
            Period::Earlier => {}
        }
    }

    fn add_call(&mut self, call: EventKind) {
        self.n_pages += u64::from(call == EventKind::Page);
        self.n_screens += u64::from(call == EventKind::Screen);
    }

    fn add_activity(&mut self, kind: Option<ActivityKind>, item: Option<&'a ItemId>) {
        self.n_views += u64::from(kind == Some(ActivityKind::View));
        self.n_searches += u64::from(kind == Some(ActivityKind::Search));
        match kind {
            Some(ActivityKind::View) => self.viewed.extend(item),
            Some(ActivityKind::Add) => self.added.extend(item),
            _ => {}
        }
    }

    fn n(&self) -> u64 {
        self.hours.iter().sum()
    }

    fn between(&self, from: usize, to: usize) -> Option<f64> {
        share(self.hours[from..to].iter().sum::<u64>() as f64, self.n() as f64)
    }
}

fn tells_a_fact(kind: ActivityKind) -> bool {
    matches!(kind, ActivityKind::Order | ActivityKind::Refund | ActivityKind::Cancel | ActivityKind::Review)
}

/// One coordinate of the mean point of counts on a circle: near 0 where they are spread all round.
fn on_circle(counts: &[u64], coordinate: fn(f64) -> f64) -> Option<f64> {
    let step = TAU / counts.len() as f64;
    let sum: f64 = counts.iter().enumerate().map(|(i, n)| *n as f64 * coordinate(i as f64 * step)).sum();
    share(sum, counts.iter().sum::<u64>() as f64)
}

const NOTHING: &str = "no order, review or other event";

impl Visits<'_> {
    /// An array, not a slice: a slice for all time would want facts for all time.
    pub const FEATURES: [Entry<Self>; 16] = [
        Entry {
            id: "activity",
            names: ("Things done", "活跃次数"),
            unit: "events",
            kind: Kind::Count,
            definition: "orders, reviews and other events until the cut-off",
            missing: NEVER,
            value: |v| Some(v.n() as f64),
        },
        Entry {
            id: "activity_trend",
            names: ("Trend of activity", "活跃趋势"),
            unit: "",
            kind: Kind::Change,
            definition: "things done in the last period against the one before, (last - before) / (last + before)",
            missing: "nothing done in either period, or too new a customer to have a period before",
            value: |v| v.tenure.had_period_before.then(|| change(v.n_last as f64, v.n_before as f64))?,
        },
        Entry {
            id: "hour_sin",
            names: ("Hour of the day (sine)", "时段(正弦)"),
            unit: "",
            kind: Kind::Circle,
            definition: "mean sine of the hour on a 24-hour circle: 1 at 6, -1 at 18 o'clock on the shop's clock",
            missing: NOTHING,
            value: |v| on_circle(&v.hours, f64::sin),
        },
        Entry {
            id: "hour_cos",
            names: ("Hour of the day (cosine)", "时段(余弦)"),
            unit: "",
            kind: Kind::Circle,
            definition: "mean cosine of the hour on a 24-hour circle: 1 at midnight, -1 at noon on the shop's clock",
            missing: NOTHING,
            value: |v| on_circle(&v.hours, f64::cos),
        },
        Entry {
            id: "night_share",
            names: ("At night", "深夜占比"),
            unit: "",
            kind: Kind::Share,
            definition: "share of things done from 0 to 6 o'clock",
            missing: NOTHING,
            value: |v| v.between(0, 6),
        },
        Entry {
            id: "morning_share",
            names: ("In the morning", "上午占比"),
            unit: "",
            kind: Kind::Share,
            definition: "share of things done from 6 to 12 o'clock",
            missing: NOTHING,
            value: |v| v.between(6, 12),
        },
        Entry {
            id: "afternoon_share",
            names: ("In the afternoon", "下午占比"),
            unit: "",
            kind: Kind::Share,
            definition: "share of things done from 12 to 18 o'clock",
            missing: NOTHING,
            value: |v| v.between(12, 18),
        },
        Entry {
            id: "evening_share",
            names: ("In the evening", "晚间占比"),
            unit: "",
            kind: Kind::Share,
            definition: "share of things done from 18 to 24 o'clock",
            missing: NOTHING,
            value: |v| v.between(18, 24),
        },
        Entry {
            id: "weekday_sin",
            names: ("Day of the week (sine)", "星期(正弦)"),
            unit: "",
            kind: Kind::Circle,
            definition: "mean sine of the weekday on a circle of seven, Monday at angle 0",
            missing: NOTHING,
            value: |v| on_circle(&v.weekdays, f64::sin),
        },
        Entry {
            id: "weekday_cos",
            names: ("Day of the week (cosine)", "星期(余弦)"),
            unit: "",
            kind: Kind::Circle,
            definition: "mean cosine of the weekday on a circle of seven, Monday at angle 0",
            missing: NOTHING,
            value: |v| on_circle(&v.weekdays, f64::cos),
        },
        Entry {
            id: "weekend_share",
            names: ("At the weekend", "周末占比"),
            unit: "",
            kind: Kind::Share,
            definition: "share of things done on Saturday and Sunday",
            missing: NOTHING,
            value: |v| share((v.weekdays[5] + v.weekdays[6]) as f64, v.n() as f64),
        },
        Entry {
            id: "app_share",
            names: ("In the app", "App 占比"),
            unit: "",
            kind: Kind::Share,
            definition: "screens of the app, over screens and web pages",
            missing: "neither a page nor a screen was seen",
            value: |v| share(v.n_screens as f64, (v.n_pages + v.n_screens) as f64),
        },
        Entry {
            id: "views",
            names: ("Items looked at", "浏览次数"),
            unit: "views",
            kind: Kind::Count,
            definition: "views of items until the cut-off",
            missing: NEVER,
            value: |v| Some(v.n_views as f64),
        },
        Entry {
            id: "searches",
            names: ("Searches", "搜索次数"),
            unit: "searches",
            kind: Kind::Count,
            definition: "searches until the cut-off",
            missing: NEVER,
            value: |v| Some(v.n_searches as f64),
        },
        Entry {
            id: "view_to_buy",
            names: ("Bought of what was looked at", "浏览购买转化率"),
            unit: "",
            kind: Kind::Share,
            definition: "different items looked at that were bought too, over different items looked at",
            missing: "no view that names an item",
            value: |v| share(v.n_viewed_bought as f64, v.viewed.len() as f64),
        },
        Entry {
            id: "cart_to_buy",
            names: ("Bought of what was in the cart", "加购购买转化率"),
            unit: "",
            kind: Kind::Share,
            definition: "different items put into the cart that were bought too, over different items put into the cart",
            missing: "nothing was put into the cart",
            value: |v| share(v.n_added_bought as f64, v.added.len() as f64),
        },
    ];
}
