//! Newton's method with conjugate gradients for logistic regression: no step length to tune, nothing random.
//!
//! A truncated Newton method (Nocedal & Wright 2006, algorithm 7.1): the system with the Hessian is solved as far as is worth while,
//! by products with the Hessian alone, and the step is shortened until the objective falls enough.

use super::Examples;

/// Newton steps at most; a smooth convex problem takes about ten.
const MAX_STEPS: usize = 60;
/// Products with the Hessian a step, at most.
const MAX_PRODUCTS: usize = 250;
/// The largest part of the gradient, a row, at which it is done.
const GRADIENT_A_ROW: f64 = 1e-9;
/// Armijo's condition, and halvings of a step at most.
const ENOUGH_DESCENT: f64 = 1e-4;
const MAX_HALVINGS: usize = 30;

#[inline]
pub(super) fn dot(weights: &[f64], vector: &[f32]) -> f64 {
    let mut sums = [0.0; 8];
    let ((w, w_rest), (v, v_rest)) = (weights.as_chunks::<8>(), vector.as_chunks::<8>());
    for (w, v) in w.iter().zip(v) {
        for lane in 0..8 {
            sums[lane] += w[lane] * f64::from(v[lane]);
        }
    }
    let rest: f64 = w_rest.iter().zip(v_rest).map(|(w, &v)| w * f64::from(v)).sum();
    sums.iter().sum::<f64>() + rest
}

/// Scores into probabilities, in place.
pub(super) fn softmax(scores: &mut [f64]) {
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    scores.iter_mut().for_each(|score| *score = (*score - most).exp());
    let total: f64 = scores.iter().sum();
    scores.iter_mut().for_each(|score| *score /= total);
}

/// `ln(Σ exp)`, without overflow.
pub(super) fn log_sum_exp(scores: &[f64]) -> f64 {
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    most + scores.iter().map(|score| (score - most).exp()).sum::<f64>().ln()
}

/// Σ loss + ‖W‖² / 2C over points `[n_rows, dimension + 1]`, the last column the intercepts, which are free.
pub(super) struct Problem<'a> {
    examples: &'a Examples<'a>,
    n_rows: usize,
    penalty: f64,
}

/// Where the method stands: the objective, its gradient, and each example's probabilities, `[n, n_rows]`.
struct Standing {
    objective: f64,
    gradient: Vec<f64>,
    probabilities: Vec<f64>,
}

impl<'a> Problem<'a> {
    pub fn new(examples: &'a Examples<'a>, inverse_penalty: f64) -> Self {
        let n_rows = if examples.n_labels == 2 { 1 } else { examples.n_labels };
        Self { examples, n_rows, penalty: inverse_penalty.recip() }
    }

    fn stride(&self) -> usize {
        self.examples.dimension + 1
    }

    pub fn zero(&self) -> Vec<f64> {
        vec![0.0; self.n_rows * self.stride()]
    }

    pub fn joined(&self, weights: &[f64], intercepts: &[f64]) -> Vec<f64> {
        let rows = weights.chunks_exact(self.examples.dimension).zip(intercepts);
        rows.flat_map(|(row, intercept)| row.iter().chain(std::iter::once(intercept))).copied().collect()
    }

    pub fn parted(&self, point: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let d = self.examples.dimension;
        let rows = point.chunks_exact(self.stride());
        (rows.clone().flat_map(|row| &row[..d]).copied().collect(), rows.map(|row| row[d]).collect())
    }

    fn products(&self, point: &[f64], i: usize, out: &mut [f64]) {
        let (row, d) = (self.examples.row(i), self.examples.dimension);
        for (out, weights) in out.iter_mut().zip(point.chunks_exact(self.stride())) {
            *out = dot(&weights[..d], row) + weights[d];
        }
    }

    /// Adds `factors ⊗ (x_i, 1)`.
    fn add(&self, sums: &mut [f64], i: usize, factors: &[f64]) {
        let (row, d) = (self.examples.row(i), self.examples.dimension);
        for (sum, &factor) in sums.chunks_exact_mut(self.stride()).zip(factors) {
            sum[..d].iter_mut().zip(row).for_each(|(sum, &value)| *sum += factor * f64::from(value));
            sum[d] += factor;
        }
    }

    /// Adds the penalty's part, which intercepts have none of.
    fn add_penalty(&self, sums: &mut [f64], point: &[f64]) {
        let d = self.examples.dimension;
        for (sum, row) in sums.chunks_exact_mut(self.stride()).zip(point.chunks_exact(self.stride())) {
            sum[..d].iter_mut().zip(&row[..d]).for_each(|(sum, value)| *sum += self.penalty * value);
        }
    }

    /// Scores into probabilities, and the loss.
    fn loss(&self, scores: &mut [f64], label: usize) -> f64 {
        if self.n_rows == 1 {
            let score = scores[0];
            let signed = if label == 1 { score } else { -score };
            scores[0] = (1.0 + (-score).exp()).recip();
            // ln(1 + e^-s), without overflow.
            return (-signed).max(0.0) + (-signed.abs()).exp().ln_1p();
        }
        let loss = log_sum_exp(scores) - scores[label];
        softmax(scores);
        loss
    }

    fn stand(&self, point: &[f64]) -> Standing {
        let mut standing =
            Standing { objective: 0.0, gradient: self.zero(), probabilities: Vec::with_capacity(self.examples.len()) };
        let mut scores = vec![0.0; self.n_rows];
        for (i, &label) in self.examples.labels.iter().enumerate() {
            self.products(point, i, &mut scores);
            standing.objective += self.loss(&mut scores, label);
            standing.probabilities.extend_from_slice(&scores);
            let own = if self.n_rows == 1 { 0 } else { label };
            scores[own] -= if self.n_rows == 1 { label as f64 } else { 1.0 };
            self.add(&mut standing.gradient, i, &scores);
        }
        self.add_penalty(&mut standing.gradient, point);
        let rows = point.chunks_exact(self.stride());
        let squares: f64 = rows.flat_map(|row| &row[..self.examples.dimension]).map(|value| value * value).sum();
        standing.objective += self.penalty * squares / 2.0;
        standing
    }

    /// The Hessian times a direction.
    fn curvature(&self, probabilities: &[f64], direction: &[f64]) -> Vec<f64> {
        let mut sums = self.zero();
        let mut factors = vec![0.0; self.n_rows];
        for (i, p) in probabilities.chunks_exact(self.n_rows).enumerate() {
            self.products(direction, i, &mut factors);
            let mean: f64 = p.iter().zip(&factors).map(|(p, factor)| p * factor).sum();
            factors.iter_mut().zip(p).for_each(|(factor, p)| *factor = p * (*factor - mean));
            self.add(&mut sums, i, &factors);
        }
        self.add_penalty(&mut sums, direction);
        sums
    }
}

fn product(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `a += factor b`
fn add_scaled(a: &mut [f64], factor: f64, b: &[f64]) {
    a.iter_mut().zip(b).for_each(|(a, b)| *a += factor * b);
}

/// The point with the least objective.
pub(super) fn minimise(problem: &Problem<'_>, mut point: Vec<f64>) -> Vec<f64> {
    let enough = GRADIENT_A_ROW * problem.examples.len() as f64;
    let mut standing = problem.stand(&point);
    for _ in 0..MAX_STEPS {
        if standing.gradient.iter().all(|part| part.abs() <= enough) {
            break;
        }
        let step = newton_step(problem, &standing);
        let Some(next) = descend(problem, &point, &step, &standing) else { break };
        (point, standing) = next;
    }
    point
}

/// Conjugate gradients on `H s = -g`, until the rest is small beside the gradient.
fn newton_step(problem: &Problem<'_>, standing: &Standing) -> Vec<f64> {
    let mut step = problem.zero();
    let mut rest: Vec<f64> = standing.gradient.iter().map(|part| -part).collect();
    let mut direction = rest.clone();
    let mut size = product(&rest, &rest);
    let scale = size.sqrt();
    let tolerance = scale * scale.sqrt().min(0.1) * 0.1;
    for _ in 0..MAX_PRODUCTS {
        if size.sqrt() <= tolerance {
            break;
        }
        let curved = problem.curvature(&standing.probabilities, &direction);
        let bend = product(&direction, &curved);
        // Flat within rounding: what is there has to do.
        if bend <= 1e-300 {
            break;
        }
        let length = size / bend;
        add_scaled(&mut step, length, &direction);
        add_scaled(&mut rest, -length, &curved);
        let before = std::mem::replace(&mut size, product(&rest, &rest));
        let turn = size / before;
        direction.iter_mut().zip(&rest).for_each(|(direction, rest)| *direction = rest + turn * *direction);
    }
    step
}

/// The first of the step, its half, its quarter, … that lowers the objective enough; nothing where rounding leaves none.
fn descend(problem: &Problem<'_>, point: &[f64], step: &[f64], standing: &Standing) -> Option<(Vec<f64>, Standing)> {
    let slope = product(&standing.gradient, step);
    let mut length = 1.0;
    for _ in 0..MAX_HALVINGS {
        let mut next = point.to_vec();
        add_scaled(&mut next, length, step);
        let there = problem.stand(&next);
        if there.objective <= standing.objective + ENOUGH_DESCENT * length * slope
            && there.objective < standing.objective
        {
            return Some((next, there));
        }
        length /= 2.0;
    }
    None
}
