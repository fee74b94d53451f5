//! Clientele turns what a shop's customers say and do into segments. This page is the map; ARCHITECTURE.md is the guide.

pub mod api;
pub mod cli;
pub mod cluster;
pub mod console;
pub mod demo;
pub mod domain;
pub mod embed;
pub mod ingest;
pub mod language;
pub mod measure;
pub mod segment;
pub mod store;
