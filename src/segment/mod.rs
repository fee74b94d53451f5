//! The use-cases around segments: fit and publish a segmentation, answer who is in what, place a text that is not stored.

mod assign;
mod build;
mod consenting;
mod differences;
mod fit;
mod joined;
#[cfg(test)]
mod laws;
mod map;
mod people;
#[cfg(test)]
mod planted;
mod profile;
mod reading;
mod sides;
mod snapshot;
mod space;
mod typical;
mod weights;
mod wording;

pub use assign::{Assigned, assign_customer, assign_texts};
pub use build::{Material, build};
pub use fit::{FitReport, Fitter, PUBLISHED, Reporter};
pub use people::{HeldOut, People, Person};
pub use sides::check_features;
pub use snapshot::{LiveVersion, Placed, Snapshots};

use crate::cluster::ClusterError;
use crate::domain::{Invalid, SegmentationName};
use crate::embed::EmbedError;
use crate::store::StoreError;

/// What can go wrong with a segmentation, by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Embed(#[from] EmbedError),
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Fewer customers have anything that counts than the fit needs.
    #[error("{n_customers} customers have facts that count (reviews, where texts alone do), and {needed} are needed{}; import more or ask for a smaller k", k.map(|k| format!(" for k = {k}")).unwrap_or_default())]
    TooFewCustomers { n_customers: usize, needed: usize, k: Option<usize> },
    #[error("the segmentation {0} has no live version yet; fit it first")]
    NoLiveVersion(SegmentationName),
    #[error(transparent)]
    Cluster(ClusterError),
    #[error("the work was cancelled")]
    Cancelled,
    /// A defect: what should hold does not.
    #[error("the fit broke: {0}")]
    Broken(String),
}

impl From<ClusterError> for SegmentError {
    fn from(error: ClusterError) -> Self {
        if matches!(error, ClusterError::Cancelled) { Self::Cancelled } else { Self::Cluster(error) }
    }
}

impl SegmentError {
    /// The word programs know this error by: one of the API's error table.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Store(StoreError::Unavailable(_)) => "store_unavailable",
            Self::Store(StoreError::Full(_)) => "store_full",
            Self::Store(StoreError::Conflict(_)) | Self::Cancelled => "conflict",
            Self::Store(StoreError::Missing(_)) => "not_found",
            Self::Embed(EmbedError::Unknown { .. }) => "unknown_model",
            Self::Embed(EmbedError::Busy { .. }) => "busy",
            Self::Embed(EmbedError::DeadlinePassed) => "deadline_passed",
            Self::Store(_) | Self::Embed(EmbedError::Forward(_)) | Self::Broken(_) => "internal",
            Self::Embed(EmbedError::BadTokens { .. }) | Self::Invalid(_) | Self::Cluster(_) => "invalid_field",
            Self::Embed(_) => "bad_model",
            Self::TooFewCustomers { .. } => "too_few_customers",
            Self::NoLiveVersion(_) => "no_live_version",
        }
    }
}
