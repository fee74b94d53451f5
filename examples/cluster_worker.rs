//! k-means from given centroids on given points, for `make bench-cluster`.
//!
//! `cluster_worker POINTS DIMENSION MAX_ITER CENTROIDS...`: files of little-endian `f32`, row by row; every file of centroids is a
//! fit, and all fits run together. Prints `{"seconds", "inertia": [..], "n_iter": [..], "rss_mb"}`; reading the files is not timed.
//! With `--device cuda:0` a GPU scores the points; their way there is timed, opening it is not. With `--best-of N` the files only say which k are asked for: each is fitted once, the best of N first centroids of our own choice.

use anyhow::Context;
use clientele::cluster::{KMeans, Metric, Points, Scorer, fit_all, refine};
use clientele::device::{DeviceChoice, DeviceScorer};
use std::io::Read;
use std::time::Instant;

fn main() -> anyhow::Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let device = flag(&mut arguments, "--device").as_deref().map_or(Ok(DeviceChoice::Cpu), DeviceChoice::parse)?;
    let scorer = DeviceScorer::open(device)?;
    let best_of = flag(&mut arguments, "--best-of").map(|n| n.parse::<usize>()).transpose()?;
    let [points, dimension, max_iter, centroids @ ..] = &arguments[..] else {
        anyhow::bail!("cluster_worker POINTS DIMENSION MAX_ITER CENTROIDS... [--best-of N] [--device cuda:0]");
    };
    let (values, dimension, max_iter) = (floats(points)?, dimension.parse()?, max_iter.parse()?);
    let starts = centroids.iter().map(|file| floats(file)).collect::<anyhow::Result<Vec<_>>>()?;
    let started = Instant::now();
    let points = Points::new(&values, dimension)?.on(scorer.as_ref().map(|scorer| scorer as &dyn Scorer));
    let found = match best_of {
        None => refine(&points, starts, Metric::Euclidean, max_iter, &())?,
        Some(n_init) => {
            let mut ks: Vec<usize> = starts.iter().map(|start| start.len() / dimension).collect();
            ks.dedup();
            let asked = |k: usize| KMeans::params(k).metric(Metric::Euclidean).n_init(n_init).max_iter(max_iter);
            let asked = ks.into_iter().map(|k| asked(k).check(&points)).collect::<Result<Vec<_>, _>>()?;
            fit_all(&points, &asked, &())?
        }
    };
    let seconds = started.elapsed().as_secs_f64();
    let inertia: Vec<f64> = found.iter().map(|one| one.inertia).collect();
    let n_iter: Vec<usize> = found.iter().map(|one| one.n_iter).collect();
    let rss_mb = peak_resident_kb()? / 1024;
    println!("{}", serde_json::json!({"seconds": seconds, "inertia": inertia, "n_iter": n_iter, "rss_mb": rss_mb}));
    Ok(())
}

/// Takes `name VALUE` out of the arguments.
fn flag(arguments: &mut Vec<String>, name: &str) -> Option<String> {
    let at = arguments.iter().position(|argument| argument == name)?;
    arguments.drain(at..(at + 2).min(arguments.len())).nth(1)
}

/// Read in pieces, so that the bytes and the numbers are never both in memory.
fn floats(path: &str) -> anyhow::Result<Vec<f32>> {
    let mut file = std::fs::File::open(path).with_context(|| format!("{path} cannot be opened"))?;
    let n_values = usize::try_from(file.metadata()?.len())? / 4;
    let (mut values, mut piece) = (Vec::with_capacity(n_values), vec![0u8; 1 << 20]);
    while values.len() < n_values {
        let n_bytes = piece.len().min(4 * (n_values - values.len()));
        file.read_exact(&mut piece[..n_bytes])?;
        values.extend(piece[..n_bytes].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
    }
    Ok(values)
}

fn peak_resident_kb() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).context("no VmHWM in /proc/self/status")?;
    Ok(line.split_whitespace().nth(1).context("VmHWM has no number")?.parse()?)
}
