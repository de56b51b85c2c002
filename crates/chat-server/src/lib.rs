#![doc = include_str!("../README.md")]

mod admission;
mod config;
mod connection;
mod context;
mod door;
mod frames;
mod rewound;
mod routes;
mod seats;
mod server;
mod sessions;

pub use config::{Config, Timings};
pub use server::Server;
