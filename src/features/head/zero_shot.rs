//! A head without a label: from descriptions of what the labels mean, embedded like the texts.

use super::{Head, HeadError};

impl Head {
    /// A text's score for a label is the cosine to the label's description, both centred on the mean of the texts: descriptions that
    /// are like all texts are liked no better for that. The temperature is how much these scores differ among the texts themselves, so
    /// probabilities are neither all even nor all certain; they are calibrated on nothing.
    ///
    /// `descriptions` is `[n_labels, dimension]`, `texts` is `[n, dimension]`: embeddings of unit length.
    ///
    /// # Errors
    /// There is one description, no text, a value that is not finite, or a number of values that is no whole number of rows.
    pub fn from_descriptions(descriptions: &[f32], texts: &[f32], dimension: usize) -> Result<Self, HeadError> {
        let (n_labels, n) = (descriptions.len() / dimension.max(1), texts.len() / dimension.max(1));
        for (values, rows) in [(descriptions, n_labels), (texts, n)] {
            if dimension == 0 || rows == 0 || values.len() != rows * dimension {
                return Err(HeadError::Shape { n_values: values.len(), dimension, n_labels });
            }
            if let Some(at) = values.iter().position(|value| !value.is_finite()) {
                return Err(HeadError::NotFinite { row: at / dimension });
            }
        }
        if n_labels < 2 {
            return Err(HeadError::OneLabel { n_labels });
        }
        let mut centre = vec![0.0; dimension];
        for row in texts.chunks_exact(dimension) {
            centre.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value) / n as f64);
        }
        let (mut weights, mut intercepts) = (Vec::with_capacity(descriptions.len()), Vec::with_capacity(n_labels));
        for row in descriptions.chunks_exact(dimension) {
            let mut centred: Vec<f64> =
                row.iter().zip(&centre).map(|(&value, centre)| f64::from(value) - centre).collect();
            let length = centred.iter().map(|value| value * value).sum::<f64>().sqrt().max(1e-12);
            centred.iter_mut().for_each(|value| *value /= length);
            intercepts.push(-centred.iter().zip(&centre).map(|(value, centre)| value * centre).sum::<f64>());
            weights.extend(centred);
        }
        let head = Self { n_labels, dimension, weights, intercepts, temperature: 1.0 };
        let temperature = head.spread(texts).max(1e-6);
        Ok(Self { temperature, ..head })
    }

    /// How far the labels' scores of a text lie from the text's mean score: root of the mean square.
    fn spread(&self, texts: &[f32]) -> f64 {
        let mut squares = 0.0;
        for row in texts.chunks_exact(self.dimension) {
            let scores = self.scores(row);
            let mean = scores.iter().sum::<f64>() / scores.len() as f64;
            squares += scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>();
        }
        (squares / (texts.len() / self.dimension * self.n_labels) as f64).sqrt()
    }
}
