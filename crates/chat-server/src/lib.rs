#![doc = include_str!("../README.md")]

mod addresses;
mod admission;
mod config;
mod connection;
mod context;
mod control;
mod deflate;
mod door;
mod drain;
mod encodings;
mod frames;
mod meters;
mod origins;
mod pace;
mod place;
mod proxies;
mod rendered;
mod rewound;
mod routes;
mod seats;
mod server;
mod sessions;
mod sips;
mod stranger_log;
mod stream;
mod tls;

pub use chat_markdown::RemoteImages;
pub use config::{Config, Page, Timings};
pub use control::{Control, NotReady};
pub use origins::{Origin, OriginError, Origins};
pub use pace::Rate;
pub use proxies::{Proxies, ProxyHeader, TrustedProxies, TrustedProxiesError};
pub use server::Server;
pub use sessions::SessionInfo;
pub use tls::{Tls, TlsError};
