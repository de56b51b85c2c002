#![doc = include_str!("../README.md")]

mod admission;
mod config;
mod connection;
mod context;
mod door;
mod frames;
mod origins;
mod rendered;
mod rewound;
mod routes;
mod seats;
mod server;
mod sessions;

pub use chat_markdown::RemoteImages;
pub use config::{Config, Page, Timings};
pub use origins::{Origin, OriginError, Origins};
pub use server::Server;
