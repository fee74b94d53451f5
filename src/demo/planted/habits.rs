//! How customers buy: four ways that differ in many features at once, and one that is all of them a little.

/// Ranges include both ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Habit {
    pub name: &'static str,
    /// Days from an order to the next.
    pub gap_days: (u32, u32),
    /// The last order comes before this day of the year.
    pub until_day: u32,
    pub lines: (u32, u32),
    pub quantity: (u32, u32),
    /// Of a hundred orders.
    pub discount_percent: u32,
    pub refund_percent: u32,
    /// Items looked at before an order and not bought.
    pub views: (u32, u32),
    pub hours: (u32, u32),
}

pub(super) const HABITS: [Habit; 4] = [
    Habit {
        name: "regular",
        gap_days: (12, 26),
        until_day: 365,
        lines: (1, 2),
        quantity: (1, 1),
        discount_percent: 6,
        refund_percent: 2,
        views: (0, 2),
        hours: (17, 21),
    },
    Habit {
        name: "stocking up",
        gap_days: (70, 110),
        until_day: 365,
        lines: (5, 8),
        quantity: (2, 4),
        discount_percent: 15,
        refund_percent: 4,
        views: (0, 3),
        hours: (8, 12),
    },
    Habit {
        name: "bargain",
        gap_days: (35, 60),
        until_day: 365,
        lines: (1, 3),
        quantity: (1, 2),
        discount_percent: 92,
        refund_percent: 45,
        views: (7, 14),
        hours: (20, 23),
    },
    Habit {
        name: "lapsed",
        gap_days: (20, 40),
        until_day: 120,
        lines: (1, 3),
        quantity: (1, 2),
        discount_percent: 20,
        refund_percent: 10,
        views: (2, 5),
        hours: (12, 18),
    },
];

/// Who has no habit.
pub(super) const NO_HABIT: Habit = Habit {
    name: "",
    gap_days: (20, 110),
    until_day: 365,
    lines: (1, 6),
    quantity: (1, 3),
    discount_percent: 35,
    refund_percent: 15,
    views: (0, 10),
    hours: (8, 23),
};
