//! The six planted personas: how many they are, how they live, and how they shop. What they write is in the grammars.

/// A kind of customer. Index in [`PERSONAS`] = index of the department it shops in.
pub(super) struct Persona {
    pub name: &'static str,
    /// Of a hundred customers.
    pub share_percent: u32,
    /// Orders over the eighteen months: at least and at most.
    pub orders: (u32, u32),
    /// Lines an order has at most.
    pub max_lines: u32,
    /// Pieces of one item at most.
    pub max_quantity: u32,
    /// Views before an order: at least and at most.
    pub views: (u32, u32),
    pub refund_percent: u32,
    /// How likely an order is in each month, January first; 10 is most likely.
    pub months: [u32; 12],
    /// Hours (UTC) between which they shop.
    pub hours: (u32, u32),
    /// Weights of the decades of birth, 1950s to 2000s.
    pub decades: [u32; 6],
    /// Weights of the channels in [`CHANNELS`].
    pub channels: [u32; 5],
}

pub(super) const CHANNELS: [&str; 5] = ["search", "social", "referral", "newsletter", "marketplace"];
pub(super) const DECADES: [&str; 6] = ["1950s", "1960s", "1970s", "1980s", "1990s", "2000s"];

pub(super) const PERSONAS: [Persona; 6] = [
    Persona {
        name: "coffee_brewers",
        share_percent: 28,
        orders: (2, 8),
        max_lines: 2,
        max_quantity: 3,
        views: (0, 1),
        refund_percent: 3,
        months: [9, 8, 8, 8, 8, 7, 7, 7, 8, 9, 10, 10],
        hours: (6, 10),
        decades: [2, 5, 14, 30, 36, 13],
        channels: [25, 30, 20, 20, 5],
    },
    Persona {
        name: "trail_runners_and_hikers",
        share_percent: 22,
        orders: (1, 4),
        max_lines: 2,
        max_quantity: 1,
        views: (1, 3),
        refund_percent: 12,
        months: [3, 4, 7, 9, 10, 10, 9, 7, 7, 5, 3, 4],
        hours: (17, 21),
        decades: [3, 9, 20, 30, 28, 10],
        channels: [35, 25, 25, 10, 5],
    },
    Persona {
        name: "parents",
        share_percent: 18,
        orders: (2, 6),
        max_lines: 4,
        max_quantity: 2,
        views: (0, 2),
        refund_percent: 8,
        months: [4, 4, 5, 5, 5, 6, 5, 6, 6, 7, 10, 10],
        hours: (20, 23),
        decades: [4, 6, 8, 40, 38, 4],
        channels: [15, 40, 25, 5, 15],
    },
    Persona {
        name: "home_office_workers",
        share_percent: 14,
        orders: (1, 3),
        max_lines: 2,
        max_quantity: 1,
        views: (2, 4),
        refund_percent: 18,
        months: [10, 9, 7, 6, 5, 5, 4, 5, 9, 8, 8, 6],
        hours: (9, 17),
        decades: [1, 6, 20, 36, 30, 7],
        channels: [55, 5, 15, 5, 20],
    },
    Persona {
        name: "gardeners",
        share_percent: 11,
        orders: (2, 6),
        max_lines: 3,
        max_quantity: 4,
        views: (0, 1),
        refund_percent: 4,
        months: [1, 3, 8, 10, 10, 7, 4, 3, 4, 2, 1, 1],
        hours: (10, 15),
        decades: [22, 28, 24, 16, 8, 2],
        channels: [25, 8, 17, 45, 5],
    },
    Persona {
        name: "home_bakers",
        share_percent: 7,
        orders: (3, 8),
        max_lines: 3,
        max_quantity: 2,
        views: (1, 2),
        refund_percent: 5,
        months: [6, 6, 6, 6, 5, 4, 4, 4, 6, 8, 10, 10],
        hours: (13, 19),
        decades: [10, 18, 24, 24, 18, 6],
        channels: [20, 40, 20, 15, 5],
    },
];
