//! The whole server over real sockets, with a real database file.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod abuse;
mod accounts;
mod addresses;
mod big_room;
mod conformance;
mod deflate;
mod endless;
mod frames;
mod joining;
mod later_request;
mod leaving;
mod listener;
mod look_ups;
mod messages;
mod origins;
mod page;
mod reconfigure;
mod shutdown;
mod slow_readers;
mod store_faults;
mod storm;
mod support;
mod tls;
mod transcripts;
mod v2;
