//! (to be written)

pub struct SqliteStore;
