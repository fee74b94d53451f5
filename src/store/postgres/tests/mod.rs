//! The contract on PostgreSQL, and what is PostgreSQL's alone. Without a server (`tools/postgres run` starts one) all of it is
//! skipped by name; in CI that is a failure.

mod copies;
mod older;
mod opening;
mod order;
mod outages;
mod server;

use crate::store::contract::contract_suite;
use server::Schema;

contract_suite!(Schema::new);
