//! Recency, frequency and money as everyone knows them: scores from 1 to 5 and cells with names.
//!
//! The cells are a grid of the recency score (rows) and the mean of the frequency and money scores, rounded half up (columns):
//!
//! | R \ FM | 1 | 2 | 3 | 4 | 5 |
//! |---|---|---|---|---|---|
//! | **5** | New Customers | Potential Loyalists | Potential Loyalists | Champions | Champions |
//! | **4** | Promising | Potential Loyalists | Potential Loyalists | Loyal Customers | Champions |
//! | **3** | About To Sleep | About To Sleep | Need Attention | Loyal Customers | Loyal Customers |
//! | **2** | Hibernating | Hibernating | At Risk | At Risk | Can't Lose Them |
//! | **1** | Lost | Lost | At Risk | At Risk | Can't Lose Them |
//!
//! Marketers' tables differ in detail and often leave gaps or overlap; this one names every combination once.

use serde::{Deserialize, Serialize};

/// What is scored; see the features `recency`, `frequency` and `monetary`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rfm {
    /// Days since the last order; the fewer the better.
    pub recency_days: f64,
    pub frequency: f64,
    /// Major units.
    pub monetary: f64,
}

/// 1 (worst fifth) to 5 (best fifth) each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RfmScore {
    pub recency: u8,
    pub frequency: u8,
    pub monetary: u8,
}

/// A named cell of the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RfmCell {
    Champions,
    LoyalCustomers,
    PotentialLoyalists,
    NewCustomers,
    Promising,
    NeedAttention,
    AboutToSleep,
    AtRisk,
    CantLoseThem,
    Hibernating,
    Lost,
}

use RfmCell::{
    AboutToSleep, AtRisk, CantLoseThem, Champions, Hibernating, Lost, LoyalCustomers, NeedAttention, NewCustomers,
    PotentialLoyalists, Promising,
};

/// Rows by R 1 to 5, columns by FM 1 to 5.
const GRID: [[RfmCell; 5]; 5] = [
    [Lost, Lost, AtRisk, AtRisk, CantLoseThem],
    [Hibernating, Hibernating, AtRisk, AtRisk, CantLoseThem],
    [AboutToSleep, AboutToSleep, NeedAttention, LoyalCustomers, LoyalCustomers],
    [Promising, PotentialLoyalists, PotentialLoyalists, LoyalCustomers, Champions],
    [NewCustomers, PotentialLoyalists, PotentialLoyalists, Champions, Champions],
];

impl RfmCell {
    pub const ALL: [Self; 11] = [
        Champions,
        LoyalCustomers,
        PotentialLoyalists,
        NewCustomers,
        Promising,
        NeedAttention,
        AboutToSleep,
        AtRisk,
        CantLoseThem,
        Hibernating,
        Lost,
    ];

    pub fn name_en(self) -> &'static str {
        self.names().0
    }

    pub fn name_zh(self) -> &'static str {
        self.names().1
    }

    fn names(self) -> (&'static str, &'static str) {
        match self {
            Champions => ("Champions", "冠军客户"),
            LoyalCustomers => ("Loyal Customers", "忠诚客户"),
            PotentialLoyalists => ("Potential Loyalists", "潜在忠诚客户"),
            NewCustomers => ("New Customers", "新客户"),
            Promising => ("Promising", "有潜力客户"),
            NeedAttention => ("Need Attention", "需关注客户"),
            AboutToSleep => ("About To Sleep", "即将沉睡客户"),
            AtRisk => ("At Risk", "流失风险客户"),
            CantLoseThem => ("Can't Lose Them", "不能失去的客户"),
            Hibernating => ("Hibernating", "沉睡客户"),
            Lost => ("Lost", "已流失客户"),
        }
    }
}

impl RfmScore {
    /// The cell of the grid; scores outside 1 to 5 count as the nearest inside.
    pub fn cell(self) -> RfmCell {
        let inside = |score: u8| usize::from(score.clamp(1, 5));
        let fm = (inside(self.frequency) + inside(self.monetary)).div_ceil(2);
        GRID[inside(self.recency) - 1][fm - 1]
    }
}

/// Scores of customers among each other. Who never ordered is none of them and has to be left out before.
///
/// A score is the fifth that the middle of a customer's ties lies in: with `w` customers worse and `e` equal (themselves included)
/// of `n`, `1 + floor(5 · (2w + e - 1) / 2n)`. So equals have equal scores whatever their order, `n` different values make five
/// fifths that differ by one at most, and where all are equal all have 3.
pub fn rfm_scores(customers: &[Rfm]) -> Vec<RfmScore> {
    let quintiles = |value: fn(&Rfm) -> f64| fifths(&customers.iter().map(value).collect::<Vec<_>>());
    let recency = quintiles(|c| -c.recency_days);
    let (frequency, monetary) = (quintiles(|c| c.frequency), quintiles(|c| c.monetary));
    let scores = recency.into_iter().zip(frequency).zip(monetary);
    scores.map(|((recency, frequency), monetary)| RfmScore { recency, frequency, monetary }).collect()
}

/// The greater the better.
fn fifths(values: &[f64]) -> Vec<u8> {
    // Adding zero makes -0 and 0 equals in the total order.
    let mut sorted: Vec<f64> = values.iter().map(|value| value + 0.0).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let n = sorted.len();
    let fifth = |value: &f64| {
        let value = value + 0.0;
        let worse = sorted.partition_point(|other| other.total_cmp(&value).is_lt());
        let equal = sorted[worse..].partition_point(|other| other.total_cmp(&value).is_eq());
        1 + (5 * (2 * worse + equal - 1) / (2 * n)) as u8
    };
    values.iter().map(fifth).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn score(recency: u8, frequency: u8, monetary: u8) -> RfmScore {
        RfmScore { recency, frequency, monetary }
    }

    #[test]
    fn every_combination_has_one_name_and_every_name_a_combination() {
        let cells: Vec<RfmCell> = (0..125).map(|i| score(1 + i / 25, 1 + i / 5 % 5, 1 + i % 5).cell()).collect();
        assert_eq!(cells.iter().collect::<BTreeSet<_>>(), RfmCell::ALL.iter().collect());
        let names: BTreeSet<_> = RfmCell::ALL.iter().flat_map(|cell| [cell.name_en(), cell.name_zh()]).collect();
        assert_eq!(names.len(), 22);
    }

    #[test]
    fn well_known_cells_are_where_marketers_look_for_them() {
        for (scores, cell) in [
            ((5, 5, 5), Champions),
            ((5, 4, 4), Champions),
            ((4, 4, 4), LoyalCustomers),
            ((3, 5, 5), LoyalCustomers),
            ((5, 2, 3), PotentialLoyalists),
            ((5, 1, 1), NewCustomers),
            ((4, 1, 1), Promising),
            ((3, 3, 3), NeedAttention),
            ((3, 1, 2), AboutToSleep),
            ((2, 3, 4), AtRisk),
            ((1, 5, 5), CantLoseThem),
            ((2, 1, 2), Hibernating),
            ((1, 1, 1), Lost),
        ] {
            assert_eq!(score(scores.0, scores.1, scores.2).cell(), cell, "{scores:?}");
        }
    }

    #[test]
    fn a_score_outside_the_scale_is_the_nearest_inside() {
        assert_eq!(score(0, 0, 0).cell(), Lost);
        assert_eq!(score(9, 9, 255).cell(), Champions);
    }

    #[test]
    fn ties_share_the_fifth_of_their_middle() {
        assert_eq!(fifths(&[1.0; 7]), [3; 7]);
        assert_eq!(fifths(&[0.0, -0.0]), [2, 2]);
        assert_eq!(fifths(&[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 3.0, 4.0]), [2, 2, 2, 2, 2, 2, 4, 4, 5, 5]);
        assert_eq!(fifths(&[10.0, 20.0, 30.0, 40.0, 50.0]), [1, 2, 3, 4, 5]);
        assert!(fifths(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn scores_follow_the_values_and_not_the_rows(values in prop::collection::vec(0..20i32, 1..60), by in 0..60usize) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let scores = fifths(&values);
            for (a, x) in values.iter().zip(&scores) {
                prop_assert!((1..=5).contains(x));
                for (b, y) in values.iter().zip(&scores) {
                    prop_assert!(a > b || x <= y);
                }
            }
            let by = by % values.len();
            let (mut turned, mut expected) = (values, scores);
            turned.rotate_left(by);
            expected.rotate_left(by);
            prop_assert_eq!(fifths(&turned), expected);
        }

        #[test]
        fn different_values_make_equal_fifths(n in 1..200usize) {
            let scores = fifths(&(0..n).map(|i| i as f64).collect::<Vec<_>>());
            let sizes: Vec<usize> = (1..=5).map(|score| scores.iter().filter(|s| **s == score).count()).collect();
            prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{sizes:?}");
        }
    }
}
