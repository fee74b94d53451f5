//! Clientele turns what a shop's customers say and do into segments, and answers which segment a customer is in.
//!
//! This page is the map; ARCHITECTURE.md is the guide. Arrows run one way, from the top of this list to its bottom, and a test
//! holds them:
//!
//! - [`cli`]: the commands; all but `serve`, `models`, `embed` and `store` are clients of the API
//! - [`app`]: the composition root, the only file that names concrete parts
//! - [`api`]: every route, wire types, errors, keys, the accept loop; [`console`]: the embedded web console
//! - [`jobs`]: long work, durable and resumable: imports and fits
//! - [`segment`]: the use-cases: fit, publish, look up, place a text
//! - [`bulk`]: files and pipes of texts into vectors, for the `embed` command
//! - [`ingest`]: outside shapes into facts; [`demo`]: a sample shop
//! - [`embed`]: texts into vectors: the trait, the models, where their files come from
//! - [`store`]: the contract, SQLite and PostgreSQL behind it
//! - [`cluster`], [`measure`], [`language`]: mathematics and words, pure
//! - [`features`]: customers' facts into numbers: behaviour, RFM, lifetime value, scaling, blocks, selection, importance, pure
//! - [`clean`]: what is wrong with a fact, and what is done about it; a text's language; currencies into one, pure
//! - [`redact`]: personal data in texts, found and treated, pure
//! - [`domain`]: the product's words as values, pure
//! - [`device`]: the GPU, where there is one; points scored on it
//! - `kernels`: products of matrices in the processor's widest vectors; [`compute`]: the threads that numeric work runs on

pub mod api;
pub mod app;
pub mod bulk;
pub mod clean;
pub mod cli;
pub mod cluster;
pub mod compute;
pub mod console;
pub mod demo;
pub mod device;
pub mod domain;
pub mod embed;
pub mod features;
pub mod ingest;
pub mod intake;
pub mod jobs;
pub(crate) mod kernels;
pub mod language;
pub mod measure;
pub mod redact;
pub mod segment;
pub mod store;
