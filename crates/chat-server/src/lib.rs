#![doc = include_str!("../README.md")]

mod abuse;
mod accounts;
mod admission;
mod api;
mod config;
mod connection;
mod context;
mod control;
mod encoding;
mod handshake;
mod listener;
mod metrics;
mod search;
mod server;
mod session;
mod transport;

pub use abuse::{AbuseLimits, Filter, FilterError, NewUserLimits};
pub use accounts::{Accounts, Registration};
pub use admission::origins::{Origin, OriginError, Origins};
pub use admission::proxies::{Proxies, ProxyHeader, TrustedProxies, TrustedProxiesError};
pub use admission::rate_limit::Rate;
pub use api::v1::openapi;
pub use chat_markdown::RemoteImages;
pub use chat_outbox::BacklogLimits;
pub use config::{Config, Logo, LogoError, Page, RoomCreation, Site, Timings};
pub use context::announcements::AnnounceError;
pub use context::classic_clients::ClassicInfo;
pub use context::deletion::DeleteError;
pub use context::erasure::{EraseError, Erased};
pub use context::sessions::SessionInfo;
pub use control::{Control, NotReady};
pub use search::Search;
pub use server::Server;
pub use transport::tls::{Tls, TlsError};
