//! Tests of the built program.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod admin;
mod backup;
mod certificate;
mod comes_back;
mod command_line;
mod configuration;
mod crowd;
mod damage;
mod descriptors;
mod doctor;
mod download;
mod ends;
mod files;
mod full_disk;
mod identity_provider;
mod kills;
mod log;
mod machine;
mod manual;
mod memory;
mod metrics;
mod migrate_database;
mod package;
mod packaging;
mod postgres;
mod process;
mod proxies;
mod read_only;
mod reload;
mod service;
mod shell;
mod strangers;
mod system;
mod traces;
mod upgrade;
