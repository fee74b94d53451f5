//! The laws of scaling, and scikit-learn's figures.

use super::*;
use proptest::prelude::*;

const ALL: [Scaling; 6] = [
    Scaling::Log1p,
    Scaling::Standard,
    Scaling::Robust,
    Scaling::MinMax,
    Scaling::RankGaussian,
    Scaling::QuantileBins { n_bins: 4 },
];

fn some(values: &[f64]) -> Vec<Option<f64>> {
    values.iter().copied().map(Some).collect()
}

/// Figures of scikit-learn 1.9 (StandardScaler, RobustScaler, MinMaxScaler with clipping, KBinsDiscretizer by linear quantiles),
/// the ranks' of scipy.stats: `norm.ppf((rankdata(x) - 0.5) / n)`, interpolated between the ranks.
#[test]
fn figures_are_those_of_scikit_learn() {
    let fitted = some(&[0.0, 0.0, 1.0, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 150.0]);
    let given = [-4.0, 0.5, 1.0, 4.0, 10.0, 400.0];
    let cases: [(&[Scaling], [f64; 6]); 5] = [
        (
            &[Scaling::Standard],
            [-0.505981234629, -0.403877398045, -0.392532527313, -0.324463302924, -0.188324854145, 8.660674316504],
        ),
        (&[Scaling::Robust], [-1.04, -0.32, -0.24, 0.24, 1.2, 63.6]),
        (&[Scaling::MinMax], [0.0, 0.003333333333, 0.006666666667, 0.026666666667, 0.066666666667, 1.0]),
        (
            &[Scaling::RankGaussian],
            [-1.281551565545, -0.841621233573, -0.524400512708, 0.253347103136, 0.806421247018, 1.644853626951],
        ),
        (&[Scaling::QuantileBins { n_bins: 4 }], [0.0, 0.0, 1.0, 2.0, 3.0, 3.0]),
    ];
    for (scalings, expected) in cases {
        let scaler = Scaler::fit(scalings, &fitted);
        for (x, expected) in given.iter().zip(expected) {
            let found = scaler.apply(Some(*x)).unwrap();
            assert!((found - expected).abs() < 1e-11, "{scalings:?} {x}: {found}, not {expected}");
        }
    }
    let chain = Scaler::fit(&[Scaling::Log1p, Scaling::Robust], &fitted);
    for (x, expected) in [(0.5, -0.596693221435), (10.0, 0.823720530647), (400.0, 3.387374660053)] {
        assert!((chain.apply(Some(x)).unwrap() - expected).abs() < 1e-11, "{x}");
    }
}

#[test]
fn columns_of_nothing_and_of_one_value_are_scaled_to_something_finite() {
    for column in [vec![], vec![None; 3], some(&[7.5; 5]), some(&[1e150; 3]), some(&[f64::MAX, f64::MIN, 0.0])] {
        for scaling in ALL {
            let scaler = Scaler::fit(&[scaling], &column);
            for x in [0.0, 7.5, -3.0, 1e-300, f64::MAX, f64::MIN] {
                assert!(scaler.apply(Some(x)).is_some_and(f64::is_finite), "{scaling:?} {column:?} {x}");
            }
            assert_eq!(scaler.apply(None), None);
            assert_eq!(scaler.apply(Some(f64::NAN)), None);
        }
    }
    for scaling in [Scaling::Standard, Scaling::Robust, Scaling::MinMax, Scaling::RankGaussian] {
        for constant in [0.1, -7.5, 1e150, 3e-200] {
            let column = some(&[constant; 7]);
            assert_eq!(Scaler::fit(&[scaling], &column).apply(column[0]), Some(0.0), "{scaling:?} {constant}");
        }
    }
}

/// Numbers of every size, many of them equal.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-3..4i32).prop_map(f64::from),
        -1e3..1e3f64,
        (-300..300i32, prop::bool::ANY).prop_map(|(e, minus)| if minus { -(10f64.powi(e)) } else { 10f64.powi(e) }),
    ]
}

/// As features are: within a few orders of magnitude.
fn ordinary() -> impl Strategy<Value = f64> {
    prop_oneof![(-3..4i32).prop_map(f64::from), -1e3..1e3f64]
}

proptest! {
    #[test]
    fn scaling_keeps_the_order_and_stays_finite(
        column in prop::collection::vec(prop::option::of(number()), 0..40),
        mut given in prop::collection::vec(number(), 2..10),
        chain in prop::collection::vec(prop::sample::select(ALL.to_vec()), 1..3),
    ) {
        let scaler = Scaler::fit(&chain, &column);
        given.sort_by(f64::total_cmp);
        let scaled: Vec<f64> = given.iter().map(|x| scaler.apply(Some(*x)).unwrap()).collect();
        prop_assert!(scaled.iter().all(|y| y.is_finite()), "{scaled:?}");
        prop_assert!(scaled.windows(2).all(|pair| pair[0] <= pair[1]), "{given:?} {scaled:?}");
    }

    #[test]
    fn scaled_again_nothing_changes(values in prop::collection::vec(ordinary(), 1..40)) {
        for scaling in [Scaling::Standard, Scaling::Robust, Scaling::MinMax, Scaling::RankGaussian] {
            let column = some(&values);
            let scaler = Scaler::fit(&[scaling], &column);
            let once: Vec<_> = column.iter().map(|x| scaler.apply(*x)).collect();
            let again = Scaler::fit(&[scaling], &once);
            for y in once.iter().flatten() {
                let twice = again.apply(Some(*y)).unwrap();
                prop_assert!((twice - y).abs() < 1e-8 * (1.0 + y.abs()), "{scaling:?}: {y} {twice}");
            }
        }
    }

    #[test]
    fn what_was_scaled_comes_back(values in prop::collection::vec(ordinary(), 1..40)) {
        for chain in [
            &[Scaling::Log1p][..],
            &[Scaling::Standard],
            &[Scaling::Robust],
            &[Scaling::MinMax],
            &[Scaling::RankGaussian],
            &[Scaling::Log1p, Scaling::Robust],
        ] {
            let scaler = Scaler::fit(chain, &some(&values));
            for x in &values {
                let back = scaler.invert(scaler.apply(Some(*x)).unwrap()).unwrap();
                prop_assert!((back - x).abs() < 1e-6 * (1.0 + x.abs()), "{chain:?}: {x} {back}");
            }
        }
        prop_assert_eq!(Scaler::fit(&[Scaling::QuantileBins { n_bins: 3 }], &some(&values)).invert(1.0), None);
    }

    #[test]
    fn a_scaler_survives_being_written_down(
        values in prop::collection::vec(number(), 1..20), x in number(), chain in prop::collection::vec(prop::sample::select(ALL.to_vec()), 1..3),
    ) {
        let scaler = Scaler::fit(&chain, &some(&values));
        let back: Scaler = serde_json::from_str(&serde_json::to_string(&scaler).unwrap()).unwrap();
        prop_assert_eq!(back.apply(Some(x)).map(f64::to_bits), scaler.apply(Some(x)).map(f64::to_bits));
        prop_assert_eq!(back, scaler);
    }

    #[test]
    fn the_order_of_customers_changes_no_bit(values in prop::collection::vec(number(), 1..30), by in 0..30usize) {
        let mut turned = values.clone();
        turned.rotate_left(by % values.len());
        for scaling in ALL {
            prop_assert_eq!(Scaler::fit(&[scaling], &some(&values)), Scaler::fit(&[scaling], &some(&turned)));
        }
    }
}

#[test]
fn a_table_is_scaled_by_the_kinds_of_its_features_and_refuses_others() {
    use crate::domain::CustomerId;
    use crate::features::{Behaviour, FeatureSet};
    let features = Behaviour::default().features();
    let customers: Vec<_> = (0..5).map(|i| CustomerId::parse(&format!("c{i}")).unwrap()).collect();
    let d = features.len();
    let cell = |row: usize, column: usize| (!(row + column).is_multiple_of(4)).then(|| (row * 10 + column) as f64);
    let rows = |d: usize| (0..5).map(|row| (0..d).map(|column| cell(row, column)).collect()).collect();
    let set = FeatureSet::new(features.clone(), customers.clone(), rows(d));
    let scaler = TableScaler::fit(&set);
    let scaled = scaler.apply(&set).unwrap();
    assert_eq!(scaled.missing(), set.missing());
    assert!(scaled.values().iter().all(|value| value.is_finite()));
    for (column, feature) in features.iter().enumerate() {
        let expected = Scaler::fit(feature.kind.scalings(), &set.column(column));
        assert_eq!(scaler.scalers[column], expected);
        assert_eq!(scaled.cell(3, column), expected.apply(set.cell(3, column)));
    }
    let error = scaler.apply(&FeatureSet::new(features[..d - 1].to_vec(), customers, rows(d - 1))).unwrap_err();
    assert_eq!((error.column, &*error.found), (d - 1, ""));
}
