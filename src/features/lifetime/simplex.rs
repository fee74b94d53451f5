//! The simplex search of Nelder and Mead (1965): a minimum without derivatives, deterministic.
//!
//! Likelihoods here have three or four parameters and cost a few milliseconds; their derivatives would need digamma and
//! hypergeometric series, and a wrong one is hard to see. Restarts from the best point so far keep a collapsed simplex from
//! passing for a minimum.

const MAX_EVALUATIONS: usize = 8_000;
const MAX_RESTARTS: usize = 12;
/// A restart that gains less than this part of the value was at the minimum.
const TOLERANCE: f64 = 1e-12;

/// A point and its value.
type Vertex = (Vec<f64>, f64);

/// The minimum near a start, and the value there; nothing if the search did not settle or the value is not finite.
pub(super) fn minimum(function: &dyn Fn(&[f64]) -> f64, start: &[f64]) -> Option<Vertex> {
    let value = |point: &[f64]| Some(function(point)).filter(|value| value.is_finite()).unwrap_or(f64::INFINITY);
    let mut best = (start.to_vec(), value(start));
    for restart in 0..MAX_RESTARTS {
        let found = search(&value, &best.0, if restart == 0 { 0.5 } else { 0.1 });
        let gained = best.1 - found.1;
        best = found;
        if restart > 0 && gained <= TOLERANCE * best.1.abs().max(1.0) {
            return best.1.is_finite().then_some(best);
        }
    }
    None
}

fn search(value: &dyn Fn(&[f64]) -> f64, start: &[f64], step: f64) -> Vertex {
    let mut simplex = around(value, start, step);
    let mut n_evaluations = simplex.len();
    while n_evaluations < MAX_EVALUATIONS && !is_collapsed(&simplex) {
        n_evaluations += improve(value, &mut simplex);
        simplex.sort_by(|a, b| a.1.total_cmp(&b.1));
    }
    simplex.swap_remove(0)
}

fn around(value: &dyn Fn(&[f64]) -> f64, start: &[f64], step: f64) -> Vec<Vertex> {
    let corner = |moved: Option<usize>| {
        let mut point = start.to_vec();
        if let Some(axis) = moved {
            point[axis] += step;
        }
        let at = value(&point);
        (point, at)
    };
    let mut simplex: Vec<Vertex> = std::iter::once(None).chain((0..start.len()).map(Some)).map(corner).collect();
    simplex.sort_by(|a, b| a.1.total_cmp(&b.1));
    simplex
}

fn is_collapsed(simplex: &[Vertex]) -> bool {
    let (best, worst) = (&simplex[0], &simplex[simplex.len() - 1]);
    let width = simplex.iter().flat_map(|(point, _)| point.iter().zip(&best.0)).map(|(a, b)| (a - b).abs());
    worst.1 - best.1 <= TOLERANCE * best.1.abs().max(1.0) && width.fold(0.0, f64::max) < 1e-8
}

/// One step: reflection, expansion, contraction or shrinking. How many times the function was asked.
fn improve(value: &dyn Fn(&[f64]) -> f64, simplex: &mut [Vertex]) -> usize {
    let last = simplex.len() - 1;
    let n = last as f64;
    let centre: Vec<f64> =
        (0..last).map(|axis| simplex[..last].iter().map(|(point, _)| point[axis]).sum::<f64>() / n).collect();
    let along = |by: f64| {
        let point: Vec<f64> = centre.iter().zip(&simplex[last].0).map(|(c, worst)| c + by * (worst - c)).collect();
        let at = value(&point);
        (point, at)
    };
    let reflected = along(-1.0);
    if reflected.1 < simplex[0].1 {
        let expanded = along(-2.0);
        simplex[last] = if expanded.1 < reflected.1 { expanded } else { reflected };
        return 2;
    }
    if reflected.1 < simplex[last - 1].1 {
        simplex[last] = reflected;
        return 1;
    }
    let contracted = along(if reflected.1 < simplex[last].1 { -0.5 } else { 0.5 });
    if contracted.1 < simplex[last].1.min(reflected.1) {
        simplex[last] = contracted;
        return 2;
    }
    shrink(value, simplex);
    2 + last
}

fn shrink(value: &dyn Fn(&[f64]) -> f64, simplex: &mut [Vertex]) {
    let best = simplex[0].0.clone();
    for (point, at) in &mut simplex[1..] {
        point.iter_mut().zip(&best).for_each(|(x, b)| *x = b + 0.5 * (*x - b));
        *at = value(point);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_valley_of_rosenbrock_is_followed_to_its_end() {
        let valley = |p: &[f64]| 100.0 * (p[1] - p[0] * p[0]).powi(2) + (1.0 - p[0]).powi(2);
        let (point, value) = minimum(&valley, &[-1.2, 1.0]).unwrap();
        assert!(value < 1e-12 && point.iter().all(|x| (x - 1.0).abs() < 1e-5), "{point:?} {value}");
    }

    #[test]
    fn what_is_nowhere_finite_has_no_minimum() {
        assert!(minimum(&|_| f64::NAN, &[0.0, 0.0]).is_none());
    }

    proptest! {
        #[test]
        fn a_bowl_is_found_wherever_it_is(centre in prop::array::uniform4(-5.0..5.0f64), scale in prop::array::uniform4(0.1..10.0f64)) {
            let bowl = |p: &[f64]| (0..4).map(|i| scale[i] * (p[i] - centre[i]).powi(2)).sum::<f64>() + 3.0;
            let (point, _) = minimum(&bowl, &[0.0; 4]).unwrap();
            for (x, c) in point.iter().zip(&centre) {
                prop_assert!((x - c).abs() < 1e-4, "{point:?} {centre:?}");
            }
        }
    }
}
