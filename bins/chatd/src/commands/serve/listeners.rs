//! The listeners of a server: opened here, or passed by a service manager.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::StartError;
use crate::cli::Options;
use crate::config::Configuration;
use crate::runtime::listen::{adopt, listen, listen_near};
use crate::runtime::service_manager::PassedListeners;

pub(super) struct Listeners {
    /// For chat clients.
    pub(super) chat: TcpListener,
    /// For health checks, metrics and the admin API. `None` if it is off.
    pub(super) admin: Option<AdminListener>,
}

pub(super) struct AdminListener {
    listener: TcpListener,
    /// Whether neither an option nor a service manager chose the address.
    pub(super) is_default: bool,
}

impl Listeners {
    /// Takes the listeners that were passed, and opens the others.
    pub(super) async fn open(options: &Options, configuration: &Configuration) -> Result<Self, StartError> {
        let mut passed = PassedListeners::take();
        let chat = match passed.listener(0)? {
            Some(listener) => adopt(listener)?,
            None => listen(options.listen.as_str(), "--listen").await?,
        };
        let is_default = configuration.is_default("admin-listen");
        let admin = match (passed.listener(1)?, &options.admin_listen.0) {
            (Some(listener), _) => Some(AdminListener { listener: adopt(listener)?, is_default: false }),
            (None, Some(address)) => {
                let address = address.as_str();
                let listener = match is_default {
                    true => listen_near(address, "--admin-listen").await?,
                    false => listen(address, "--admin-listen").await?,
                };
                Some(AdminListener { listener, is_default })
            }
            (None, None) => None,
        };
        Ok(Self { chat, admin })
    }
}

impl AdminListener {
    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    pub(super) fn into_inner(self) -> TcpListener {
        self.listener
    }
}
