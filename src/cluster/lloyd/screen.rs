//! Each point against each centroid in the processor's fastest words, with a bound on what that rounds away.
//!
//! A score is x·c + offset. With x̂ and ĉ the rounded vectors, the lead of centroid a over b is off by no more than
//! ‖x - x̂‖ ‖a - b‖ + ‖x̂‖ ‖(a - â) - (b - b̂)‖ (Cauchy & Schwarz). Where the best rounded score leads by more than that, the point's
//! label is that of exact arithmetic; elsewhere the centroids within reach are scored again with the numbers as they are. Labels are
//! therefore those of plain `f32` arithmetic, always.
//!
//! What all centroids share does not change which is the best: their mean is taken out before rounding, and with it most of the
//! error where clusters lie close together beside the origin's distance.

use super::super::geometry::{Points, dot};
use super::super::metric::squared_distance;
use super::super::scorer::{Scored, UNSURE};
use super::panel::{LANES, Panel, depth, pack_row};
use crate::kernels::{Block, Isa, Kernel, Lines, Word};
use pulp::{Arch, Simd, WithSimd};
use std::ops::Range;

/// Lanes whose best scores are sought together.
const VECTOR: usize = 16;

/// How points are scored on this machine.
pub(super) struct Screen<'a> {
    pub points: Points<'a>,
    pub arch: Arch,
    word: Word,
    kernel: Kernel,
    depth: usize,
}

/// Centroids of several fits, ready to be scored together.
pub(super) struct Candidates {
    /// `[k of all fits, depth]`
    words: Vec<u32>,
    pub fits: Vec<Fit>,
}

/// One fit's part of [`Candidates`].
pub(super) struct Fit {
    pub k: usize,
    /// Of the fit's first centroid among all.
    first: usize,
    /// `[k, dimension]`, as they are.
    centroids: Vec<f32>,
    offsets: Vec<f32>,
    /// `[k, k]`: ‖a - b‖ and ‖(a - â) - (b - b̂)‖, and the largest of each row.
    apart: Vec<f32>,
    errors_apart: Vec<f32>,
    farthest: Vec<f32>,
    farthest_error: Vec<f32>,
    /// What the arithmetic of `f32` itself may be off by, for a point of length 1 and for the offsets.
    arithmetic: f32,
    offset_arithmetic: f32,
}

impl<'a> Screen<'a> {
    pub fn new(points: Points<'a>, isa: Isa) -> Self {
        let word = if isa == Isa::Avx512Bf16 { Word::Bf16 } else { Word::F32 };
        let depth = depth(word, points.dimension());
        Self { points, arch: Arch::new(), word, kernel: Kernel::new(isa, word), depth }
    }

    pub fn n_panels(&self) -> usize {
        self.points.len().div_ceil(LANES)
    }

    /// Rows of a panel's points; fewer than 64 in the last.
    pub fn rows(&self, panel: usize) -> Range<usize> {
        panel * LANES..((panel + 1) * LANES).min(self.points.len())
    }

    /// Brings a panel to where it can be assigned: packed, or only measured where it is scored on a device.
    pub fn ready(&self, at: usize, panel: &mut Panel, there: bool) {
        match there {
            true if !panel.measured => panel.measure(&self.points, self.rows(at)),
            false if panel.words.is_empty() => panel.pack(self.arch, self.word, &self.points, self.rows(at)),
            _ => (),
        }
    }

    /// What a device is to score, whose rounding that is: [`crate::cluster::PlacedPoints::rounding`]. Its lengths of points are a little
    /// more rather than less, as those of panels are.
    pub fn scored(&self, candidates: &Candidates, rounding: f32) -> Vec<Scored> {
        candidates.fits.iter().map(|fit| fit.scored(self.points.dimension(), rounding)).collect()
    }

    /// Takes up each fit's centroids, `[k, dimension]`, with what is added to their scores.
    pub fn candidates(&self, fits: impl IntoIterator<Item = (Vec<f32>, Vec<f32>)>) -> Candidates {
        let mut all = Candidates { words: Vec::new(), fits: Vec::new() };
        for (centroids, offsets) in fits {
            let first = all.words.len() / self.depth;
            let errors = self.pack_centroids(&centroids, &mut all.words);
            all.fits.push(Fit::new(first, centroids, offsets, &errors));
        }
        all
    }

    /// Appends the words of centroids without what they share; gives c - ĉ of each.
    fn pack_centroids(&self, centroids: &[f32], words: &mut Vec<u32>) -> Vec<f32> {
        let d = self.points.dimension();
        let shared = mean(centroids, d);
        let mut errors = Vec::with_capacity(centroids.len());
        for row in centroids.chunks_exact(d) {
            let own: Vec<f32> = row.iter().zip(&shared).map(|(value, shared)| value - shared).collect();
            let start = words.len();
            words.resize(start + self.depth, 0);
            pack_row(self.word, &own, &mut words[start..]);
            let back = |i: usize| match self.word {
                Word::Bf16 if i < self.depth => f32::from_bits(words[start + i] << 16),
                Word::Bf16 => f32::from_bits(words[start + i - self.depth] & 0xffff_0000),
                _ => own[i],
            };
            errors.extend((0..d).map(|i| own[i] - back(i)));
        }
        errors
    }

    /// Scores a panel's points against all centroids: `scores` becomes `[k of all fits, 64]`, offsets not yet added.
    pub fn score(&self, panel: &Panel, candidates: &Candidates, scores: &mut Lines<f32>) {
        let n_rows = candidates.words.len() / self.depth;
        scores.resize(n_rows * LANES);
        self.kernel.multiply(Block {
            rows: &candidates.words,
            row_stride: self.depth,
            row_step: 1,
            n_rows,
            depth: self.depth,
            columns: &panel.words,
            column_stride: LANES,
            n_columns: LANES,
            zero_points: &[],
            column_sums: &[],
            sums: scores,
            sum_stride: LANES,
        });
    }

    /// The label of each of a panel's points in one fit, from the panel's scores.
    pub fn labels(&self, at: usize, panel: &Panel, fit: &Fit, scores: &[f32]) -> [u32; LANES] {
        let scores = &scores[fit.first * LANES..][..fit.k * LANES];
        self.arch.dispatch(Labelling { points: self.points, rows: self.rows(at), panel, fit, scores })
    }

    /// The labels of a panel's points in one fit, of which a device found those that are certain.
    pub fn settle(&self, at: usize, fit: &Fit, found: &[u32]) -> [u32; LANES] {
        let mut labels = [0; LANES];
        labels[..found.len()].copy_from_slice(found);
        if found.contains(&UNSURE) {
            self.arch.dispatch(Settling { points: self.points, rows: self.rows(at), fit, labels: &mut labels });
        }
        labels
    }
}

/// The exact labels of a panel's points that a device left open. (A closure would not be compiled for the vectors' instructions.)
struct Settling<'a> {
    points: Points<'a>,
    rows: Range<usize>,
    fit: &'a Fit,
    labels: &'a mut [u32; LANES],
}

impl WithSimd for Settling<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (row, label) in self.rows.zip(self.labels).filter(|(_, label)| **label == UNSURE) {
            *label = self.fit.first_best(self.points.row(row));
        }
    }
}

/// A panel's labels from its scores. (A closure would not be compiled for the vectors' instructions.)
struct Labelling<'a> {
    points: Points<'a>,
    rows: Range<usize>,
    panel: &'a Panel,
    fit: &'a Fit,
    /// `[k, 64]`
    scores: &'a [f32],
}

impl WithSimd for Labelling<'_> {
    type Output = [u32; LANES];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> [u32; LANES] {
        let mut best = Best::of(self.scores, &self.fit.offsets);
        for (lane, row) in self.rows.enumerate() {
            let point = Rounded { error: self.panel.errors[lane], length: self.panel.lengths[lane] };
            let (a, b) = (best.first[lane] as usize, best.second[lane] as usize);
            // Not `<=`: where a score is no number, nothing is certain.
            let reach = self.fit.reach_of(a, point);
            if best.lead[lane] > reach {
                continue;
            }
            let x = self.points.row(row);
            best.first[lane] = if best.lead_of_two[lane] > reach {
                self.fit.nearer(x, a, b, point, best.lead[lane])
            } else {
                self.fit.exact(x, a, point, Lane { scores: self.scores, lane, best: best.score[lane] })
            };
        }
        best.first
    }
}

/// One point's rounded scores, and the best of them with its offset.
#[derive(Clone, Copy)]
struct Lane<'a> {
    scores: &'a [f32],
    lane: usize,
    best: f32,
}

/// What is known of a point's rounding.
#[derive(Clone, Copy)]
struct Rounded {
    error: f32,
    length: f32,
}

impl Fit {
    fn new(first: usize, centroids: Vec<f32>, offsets: Vec<f32>, errors: &[f32]) -> Self {
        let k = offsets.len();
        let d = centroids.len() / k;
        let (apart, errors_apart) = (distances(&centroids, d), distances(errors, d));
        let farthest = |of: &[f32]| of.chunks_exact(k).map(|row| row.iter().copied().fold(0.0, f32::max)).collect();
        let longest = centroids.chunks_exact(d).map(|row| dot(row, row).sqrt()).fold(0.0, f32::max);
        let largest = offsets.iter().fold(0f32, |most, offset| most.max(offset.abs()));
        Self {
            k,
            first,
            farthest: farthest(&apart),
            farthest_error: farthest(&errors_apart),
            // Sums of products, the rounded and the exact ones: 2^-24 a term and then some.
            arithmetic: 8.0 * d as f32 * f32::EPSILON * longest,
            offset_arithmetic: 8.0 * f32::EPSILON * largest,
            centroids,
            offsets,
            apart,
            errors_apart,
        }
    }

    /// By how much the lead of centroid `a` over any other may be off.
    #[inline(always)]
    fn reach_of(&self, a: usize, point: Rounded) -> f32 {
        self.reach(point, self.farthest[a], self.farthest_error[a])
    }

    #[inline(always)]
    fn reach(&self, Rounded { error, length }: Rounded, apart: f32, errors_apart: f32) -> f32 {
        error * apart + length * errors_apart + (error + length) * self.arithmetic + self.offset_arithmetic
    }

    /// Of the best rounded centroid `a` and those within its reach the first that has the largest exact score.
    #[inline(always)]
    fn exact(&self, x: &[f32], a: usize, point: Rounded, rounded: Lane<'_>) -> u32 {
        let mut best: Option<(f32, usize)> = None;
        for j in 0..self.k {
            let reach = self.reach(point, self.apart[a * self.k + j], self.errors_apart[a * self.k + j]);
            let behind = rounded.best - (rounded.scores[j * LANES + rounded.lane] + self.offsets[j]);
            if j == a || behind > reach {
                continue;
            }
            let (most, at) = match best {
                Some(best) => best,
                None => (self.score(x, a), a),
            };
            let score = self.score(x, j);
            best = if score > most || score == most && j < at { Some((score, j)) } else { Some((most, at)) };
        }
        match best {
            Some((_, at)) => at as u32,
            None => a as u32,
        }
    }

    /// The nearer one of the two centroids that a point may belong to; `lead` is the rounded lead of `a`.
    #[inline(always)]
    fn nearer(&self, x: &[f32], a: usize, b: usize, point: Rounded, lead: f32) -> u32 {
        if lead > self.reach(point, self.apart[a * self.k + b], self.errors_apart[a * self.k + b]) {
            return a as u32;
        }
        let (first, second) = (self.score(x, a.min(b)), self.score(x, a.max(b)));
        (if second > first { a.max(b) } else { a.min(b) }) as u32
    }

    /// The first that has the largest exact score.
    #[inline(always)]
    fn first_best(&self, x: &[f32]) -> u32 {
        let mut best = (f32::NEG_INFINITY, 0);
        for j in 0..self.k {
            let score = self.score(x, j);
            best = if score > best.0 { (score, j as u32) } else { best };
        }
        best.1
    }

    /// With the bound of a device that rounds every number by a share of itself, worked out from lengths alone: ‖c - ĉ‖ is no more
    /// than that share of ‖c‖.
    fn scored(&self, d: usize, rounding: f32) -> Scored {
        let shared = mean(&self.centroids, d);
        let own: Vec<f32> =
            self.centroids.iter().zip(shared.iter().cycle()).map(|(value, shared)| value - shared).collect();
        let lengths: Vec<f32> = own.chunks_exact(d).map(|row| dot(row, row).sqrt() * 1.001).collect();
        let longest = lengths.iter().copied().fold(0.0, f32::max);
        let slope = |(length, farthest): (&f32, &f32)| {
            rounding * farthest
                + (1.0 + rounding) * rounding * (length + longest)
                + (1.0 + 2.0 * rounding) * self.arithmetic
        };
        let slopes = lengths.iter().zip(&self.farthest).map(slope).collect();
        Scored { centroids: own, offsets: self.offsets.clone(), slopes, base: self.offset_arithmetic }
    }

    #[inline(always)]
    fn score(&self, x: &[f32], j: usize) -> f32 {
        dot(x, &self.centroids[j * x.len()..][..x.len()]) + self.offsets[j]
    }
}

/// Of each lane the two best rows, the best score, and its lead over the second and the third.
struct Best {
    first: [u32; LANES],
    second: [u32; LANES],
    score: [f32; LANES],
    lead: [f32; LANES],
    lead_of_two: [f32; LANES],
}

impl Best {
    #[inline(always)]
    fn of(scores: &[f32], offsets: &[f32]) -> Self {
        let (none, zero) = ([0; LANES], [0.0; LANES]);
        let mut all = Self { first: none, second: none, score: zero, lead: zero, lead_of_two: zero };
        // A vector's worth of lanes at a time, so that all of this stays in registers.
        for from in (0..LANES).step_by(VECTOR) {
            all.seek(from, scores, offsets);
        }
        all
    }

    #[inline(always)]
    fn seek(&mut self, from: usize, scores: &[f32], offsets: &[f32]) {
        let lowest = [f32::NEG_INFINITY; VECTOR];
        let (mut one, mut two, mut three) = (lowest, lowest, lowest);
        let (mut first, mut second) = ([0u32; VECTOR], [0u32; VECTOR]);
        for (j, (scores, &offset)) in scores.chunks_exact(LANES).zip(offsets).enumerate() {
            let scores: &[f32; VECTOR] = scores[from..].first_chunk().unwrap_or(&lowest);
            for lane in 0..VECTOR {
                let score = scores[lane] + offset;
                let (is_first, is_second) = (score > one[lane], score > two[lane]);
                let beaten = if is_second { two[lane] } else { score };
                three[lane] = if beaten > three[lane] { beaten } else { three[lane] };
                let second_score = if is_second { score } else { two[lane] };
                let second_row = if is_second { j as u32 } else { second[lane] };
                two[lane] = if is_first { one[lane] } else { second_score };
                second[lane] = if is_first { first[lane] } else { second_row };
                one[lane] = if is_first { score } else { one[lane] };
                first[lane] = if is_first { j as u32 } else { first[lane] };
            }
        }
        for lane in 0..VECTOR {
            self.first[from + lane] = first[lane];
            self.second[from + lane] = second[lane];
            self.score[from + lane] = one[lane];
            self.lead[from + lane] = one[lane] - two[lane];
            self.lead_of_two[from + lane] = one[lane] - three[lane];
        }
    }
}

/// `[k, k]`: how far rows are apart, a little more rather than less.
fn distances(rows: &[f32], d: usize) -> Vec<f32> {
    Arch::new().dispatch(Distances { rows, d })
}

struct Distances<'a> {
    rows: &'a [f32],
    d: usize,
}

impl WithSimd for Distances<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Vec<f32> {
        let k = self.rows.len() / self.d;
        let mut apart = vec![0f32; k * k];
        for (a, row) in self.rows.chunks_exact(self.d).enumerate() {
            for (b, other) in self.rows.chunks_exact(self.d).enumerate().take(a) {
                let distance = squared_distance(row, other).sqrt() as f32 * 1.001;
                (apart[a * k + b], apart[b * k + a]) = (distance, distance);
            }
        }
        apart
    }
}

/// The mean of rows.
fn mean(rows: &[f32], d: usize) -> Vec<f32> {
    let mut sums = vec![0f64; d];
    for row in rows.chunks_exact(d) {
        sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    let n = (rows.len() / d).max(1) as f64;
    sums.into_iter().map(|sum| (sum / n) as f32).collect()
}
