//! Where segments lie on the console's map: the first two principal components of their centroids.

/// Positions in -1..1 for `[k, dimension]` centroids: nearer on the map means more alike, as far as two axes can show it.
///
/// Classical scaling (Torgerson 1952): the two leading eigenvectors of the doubly centred Gram matrix, by power iteration with
/// deflation from a fixed start, so that the same centroids always give the same map.
pub fn positions(centroids: &[f32], k: usize) -> Vec<[f64; 2]> {
    if k < 2 {
        return vec![[0.0, 0.0]; k];
    }
    let mut gram = centred_gram(centroids, k);
    let mut axes = Vec::with_capacity(2);
    for axis in 0..2 {
        let (value, vector) = leading_eigenvector(&gram, k, axis);
        for i in 0..k {
            for j in 0..k {
                gram[i * k + j] -= value * vector[i] * vector[j];
            }
        }
        axes.push(vector.iter().map(|v| v * value.max(0.0).sqrt()).collect::<Vec<_>>());
    }
    let widest = axes.iter().flatten().fold(1e-12, |widest: f64, v| widest.max(v.abs()));
    (0..k).map(|i| [axes[0][i] / widest, axes[1][i] / widest]).collect()
}

fn centred_gram(centroids: &[f32], k: usize) -> Vec<f64> {
    let dimension = centroids.len() / k;
    let mut rows: Vec<f64> = centroids.iter().map(|&v| f64::from(v)).collect();
    for d in 0..dimension {
        let mean = (0..k).map(|i| rows[i * dimension + d]).sum::<f64>() / k as f64;
        (0..k).for_each(|i| rows[i * dimension + d] -= mean);
    }
    let mut gram = vec![0.0; k * k];
    for i in 0..k {
        for j in 0..k {
            let (a, b) = (&rows[i * dimension..][..dimension], &rows[j * dimension..][..dimension]);
            gram[i * k + j] = a.iter().zip(b).map(|(a, b)| a * b).sum();
        }
    }
    gram
}

/// The largest eigenvalue of a symmetric non-negative matrix and its unit vector, the sign fixed by its first entry.
fn leading_eigenvector(matrix: &[f64], k: usize, axis: usize) -> (f64, Vec<f64>) {
    let mut vector: Vec<f64> = (0..k).map(|i| 1.0 / (1.0 + ((i + axis) * 7 % k) as f64)).collect();
    let mut value = 0.0;
    for _ in 0..500 {
        let next: Vec<f64> = (0..k).map(|i| (0..k).map(|j| matrix[i * k + j] * vector[j]).sum()).collect();
        let norm = next.iter().map(|v| v * v).sum::<f64>().sqrt();
        if norm < 1e-12 {
            return (0.0, vec![0.0; k]);
        }
        vector = next.into_iter().map(|v| v / norm).collect();
        value = norm;
    }
    if vector[0] < 0.0 {
        vector.iter_mut().for_each(|v| *v = -*v);
    }
    (value, vector)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_centroids_lie_near_each_other() {
        let centroids = [1.0, 0.0, 0.0, 0.98, 0.2, 0.0, 0.0, 0.0, 1.0, -1.0, 0.1, 0.0];
        let at = positions(&centroids, 4);
        let distance = |a: usize, b: usize| (at[a][0] - at[b][0]).hypot(at[a][1] - at[b][1]);
        assert!(distance(0, 1) < distance(0, 2) && distance(0, 1) < distance(0, 3));
        assert!(at.iter().flatten().all(|v| (-1.0..=1.0).contains(v)));
    }

    #[test]
    fn one_or_equal_centroids_are_no_trouble() {
        assert_eq!(positions(&[1.0, 0.0], 1), vec![[0.0, 0.0]]);
        assert!(positions(&[1.0, 0.0, 1.0, 0.0], 2).iter().flatten().all(|v| v.is_finite()));
    }
}
