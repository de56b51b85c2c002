//! What a running server takes over on SIGHUP: all of the configuration is read anew, and what can change at once does. Where anything is
//! wrong everything stays as it was.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;

use chat_server::{Control, Tls};

use crate::cli::Loaded;
use crate::config::Configuration;
use crate::runtime::log::Log;
use crate::runtime::service_manager as service;
use crate::runtime::signals::HangUps;

/// The options that take effect without a restart, by their names.
const AT_ONCE: [&str; 17] = [
    "allowed-origins",
    "backlog-bytes",
    "backlog-frames",
    "compression",
    "connections-per-address",
    "history-max-age",
    "history-max-count",
    "join-burst",
    "join-rate",
    "log",
    "members-per-room",
    "message-burst",
    "message-bytes",
    "message-rate",
    "proxy-header",
    "rooms-per-session",
    "trusted-proxies",
];

/// Whether an option takes effect without a restart. The certificate's files are read anew in any case.
pub(crate) fn takes_effect_at_once(name: &str) -> bool {
    AT_ONCE.contains(&name)
}

/// A running server, as far as its configuration can change.
#[derive(Debug)]
pub(crate) struct Reload {
    pub(crate) control: Control,
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) log: Log,
    /// The values that hold, by the names of their options.
    values: BTreeMap<String, Option<String>>,
}

impl Reload {
    pub(crate) fn new(
        control: Control,
        tls: Option<Arc<Tls>>,
        log: Log,
        configuration: &Configuration,
    ) -> Self {
        Self { control, tls, log, values: values(configuration) }
    }

    /// Reads everything anew with every SIGHUP.
    pub(crate) async fn follow(mut self, mut hang_ups: HangUps) {
        loop {
            hang_ups.next().await;
            // it reads files
            let reloading = tokio::task::spawn_blocking(move || {
                service::reloading();
                self.reload();
                service::ready("serving");
                self
            });
            match reloading.await {
                Ok(reload) => self = reload,
                Err(_) => return,
            }
        }
    }

    fn reload(&mut self) {
        let arguments: Vec<OsString> = std::env::args_os().collect();
        match Loaded::read(&arguments) {
            Ok(loaded) => self.take_over(&loaded),
            Err(error) => {
                tracing::error!(%error, "SIGHUP: the configuration has mistakes; the old one stays in effect");
            }
        }
        if let Some(tls) = &self.tls {
            match tls.reload() {
                Ok(()) => tracing::info!("SIGHUP: the certificate was read again; new connections use it"),
                Err(error) => {
                    tracing::error!(%error, "SIGHUP: the certificate can't be used; the old one stays in effect");
                }
            }
        }
    }

    fn take_over(&mut self, Loaded { cli, configuration }: &Loaded) {
        for warning in configuration.warnings() {
            tracing::warn!("{warning}");
        }
        let options = cli.options();
        if let Err(error) = self.log.filter(&options.log) {
            tracing::error!(%error, "SIGHUP: the log can't be changed; the old configuration stays in effect");
            return;
        }
        self.control.reconfigure(options.config());
        let mut is_changed = false;
        for (name, value) in values(configuration) {
            let before = self.values.get(&name);
            if before == Some(&value) {
                continue;
            }
            is_changed = true;
            if takes_effect_at_once(&name) {
                let value = value.clone().unwrap_or_default();
                tracing::info!(option = name, value, "SIGHUP: option changed");
                self.values.insert(name, Some(value));
            } else {
                tracing::warn!(option = name, "SIGHUP: this option needs a restart to change");
            }
        }
        if !is_changed {
            tracing::info!("SIGHUP: the configuration has not changed");
        }
    }
}

fn values(configuration: &Configuration) -> BTreeMap<String, Option<String>> {
    configuration.settings().into_iter().map(|setting| (setting.name, setting.value)).collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn what_takes_effect_at_once_is_an_option() {
        let command = Cli::command();
        for name in AT_ONCE {
            assert!(command.get_arguments().any(|arg| arg.get_long() == Some(name)), "{name}");
        }
    }
}
