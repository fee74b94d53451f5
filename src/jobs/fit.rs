//! The fit as a job.

use super::{JobContext, JobFailure, Work};
use crate::domain::{Definition, Invalid, KChoice, Progress, SegmentationName};
use crate::segment::{Fitter, Reporter, SegmentError};
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
}

impl FitRequest {
    /// # Errors
    /// `k` is neither.
    pub fn definition(&self) -> Result<Definition, Invalid> {
        Ok(Definition { model: self.model.clone(), k: KChoice::parse(&self.k)?, seed: self.seed })
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
        let reporter = Arc::new(JobReporter(Arc::clone(&context)));
        let fitted = self.0.fit(&context.workspace, &request.segmentation, &definition, reporter).await;
        match fitted {
            Ok(report) => serde_json::to_value(report).map_err(|error| broken(&error)),
            Err(SegmentError::Cancelled) => Err(context.check().err().unwrap_or(JobFailure::Cancelled)),
            Err(error) => Err(JobFailure::Failed { code: error.word().into(), detail: error.to_string() }),
        }
    }
}
