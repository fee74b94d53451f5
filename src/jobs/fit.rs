//! The fit as a job.

use super::{JobContext, JobFailure, Work};
use crate::domain::{Algorithm, Definition, Inputs, Invalid, KChoice, Progress, SegmentationName};
use crate::segment::{Fitter, PUBLISHED, Reporter, SegmentError};
use crate::store::StoreError;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::ops::ControlFlow;
use std::sync::Arc;

/// What a fit job is asked for, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FitRequest {
    pub segmentation: SegmentationName,
    pub model: String,
    /// `auto` or a number.
    pub k: String,
    pub seed: u64,
    /// What customers are grouped by; what they say alone in a job from before there was anything else.
    #[serde(default = "Inputs::text_alone")]
    pub inputs: Inputs,
    #[serde(default)]
    pub algorithm: Algorithm,
}

impl FitRequest {
    /// Fits of one segmentation follow each other, whichever process does them: their versions are numbered, and each aligns its
    /// segments with the one before.
    pub fn subject(segmentation: &SegmentationName) -> String {
        format!("fit {segmentation}")
    }

    /// # Errors
    /// `k` is neither.
    pub fn definition(&self) -> Result<Definition, Invalid> {
        Ok(Definition {
            model: self.model.clone(),
            k: KChoice::parse(&self.k)?,
            seed: self.seed,
            inputs: self.inputs.clone(),
            algorithm: self.algorithm,
        })
    }
}

pub struct FitWork(pub Fitter);

struct JobReporter(Arc<JobContext>);

impl Reporter for JobReporter {
    fn report(&self, phase: &str, done: u64, total: Option<u64>) -> ControlFlow<()> {
        self.0.report(Progress { phase: phase.to_owned(), done, total });
        if self.0.check().is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

#[async_trait]
impl Work for FitWork {
    async fn run(&self, context: Arc<JobContext>) -> Result<Value, JobFailure> {
        let broken =
            |error: &dyn std::fmt::Display| JobFailure::Failed { code: "internal".into(), detail: error.to_string() };
        let request: FitRequest =
            serde_json::from_value(context.job().request.clone()).map_err(|error| broken(&error))?;
        let definition = request.definition().map_err(|error| broken(&error))?;
        // Written with the version: whoever did it was gone before the end was on record.
        if let Some(report) = context.job().checkpoint.as_ref().and_then(|checkpoint| checkpoint.get(PUBLISHED)) {
            return Ok(report.clone());
        }
        let reporter = Arc::new(JobReporter(Arc::clone(&context)));
        match self.0.fit(&context.lease(), &request.segmentation, &definition, reporter).await {
            Ok(report) => serde_json::to_value(report).map_err(|error| broken(&error)),
            Err(SegmentError::Store(
                error @ (StoreError::Unavailable(_) | StoreError::Full(_) | StoreError::Conflict(_)),
            )) => Err(error.into()),
            Err(SegmentError::Cancelled) => Err(context.check().err().unwrap_or(JobFailure::Cancelled)),
            Err(error) => Err(JobFailure::Failed { code: error.word().into(), detail: error.to_string() }),
        }
    }
}
