//! The one integration binary: the real router, the real store, the real program. Where a test needs a model's weights and they
//! are not there, it says `skipped` with its reason.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where by panicking")]

mod access;
mod arrows;
mod bad_input;
mod bulk;
mod consent;
mod crash;
mod documents;
mod embeddings;
mod features;
mod jobs;
mod joined;
mod privacy;
mod program;
mod quality;
mod queue;
mod redaction;
mod replicas;
mod retention;
mod server;
mod shapes;
mod story;
mod support;
mod tracking;
