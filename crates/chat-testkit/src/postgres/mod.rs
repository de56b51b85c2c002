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
//! For faults of the network there is a [`Proxy`](crate::proxy::Proxy):
//!
//! ```no_run
//! use chat_testkit::postgres;
//! use chat_testkit::proxy::{Direction, Proxy};
//!
//! let database = postgres::shared();
//! let proxy = Proxy::start(database.address());
//! let url = database.url_at(proxy.address());
//! // the server executes what it receives, and the client does not see the result
//! proxy.stall(Direction::ToClient);
//! proxy.cut();
//! proxy.resume();
//! ```
//!
//! A test of PostgreSQL has `postgres` in its name: `just test-postgres` runs these tests.
//!
//! Servers run on Linux only: their processes are found in `/proc`.

mod database;
mod home;
mod programs;
mod server;

pub use database::{Database, SHARED, psql, shared, start_shared};
pub use programs::{missing, programs};
pub use server::{Builder, Mode, Server};
