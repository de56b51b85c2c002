//! PostgreSQL for tests: real servers in temporary folders, and databases on them.
//!
//! Only PostgreSQL's own programs are used, so that a test and the code under test do not have the
//! same fault. A test states the requirement first:
//!
//! ```no_run
//! use chat_testkit::{needs, needs::Need, postgres};
//!
//! if !needs::are_met(&[Need::Postgres]) {
//!     return;
//! }
//! // an empty database for this test, on a server that all tests share
//! let database = postgres::shared();
//! assert_eq!(database.psql("SELECT 1"), "1");
//!
//! // a server for this test, which it can kill
//! let server = postgres::Server::builder().durable().start();
//! server.kill();
//! server.restart();
//! ```
//!
//! A test of PostgreSQL has `postgres` in its name: `just test-postgres` runs these tests.
//!
//! Servers run on Linux only: their processes are found in `/proc`.

mod database;
mod home;
mod programs;
mod server;

pub use database::{Database, SHARED, shared};
pub use programs::missing;
pub use server::{Builder, Mode, Server};
