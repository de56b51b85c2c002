//! Reloading of the configuration on SIGHUP. The whole configuration is read again, and the options
//! that are [`reloadable`] take effect. If there is any mistake, the old configuration stays in
//! effect.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;

use chat_server::{Control, Tls};

use crate::cli::{Cli, reloadable};
use crate::config::Configuration;
use crate::runtime::log::Log;
use crate::runtime::service_manager;
use crate::runtime::signals::ReloadSignals;

/// The parts of a running server whose configuration can change.
#[derive(Debug)]
pub(crate) struct Reload {
    control: Control,
    tls: Option<Arc<Tls>>,
    log: Log,
    /// The values in effect, by the names of their options.
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

    /// Reloads the configuration on every SIGHUP, forever.
    pub(crate) async fn run(mut self, mut signals: ReloadSignals) {
        loop {
            signals.next().await;
            // reading files blocks
            let reloading = tokio::task::spawn_blocking(move || {
                service_manager::reloading();
                self.reload();
                service_manager::ready("serving");
                self
            });
            match reloading.await {
                Ok(reload) => self = reload,
                Err(_) => return,
            }
            self.reload_keys().await;
        }
    }

    fn reload(&mut self) {
        let arguments: Vec<OsString> = std::env::args_os().collect();
        match Cli::load(&arguments) {
            Ok((cli, configuration)) => self.apply(&cli, &configuration),
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

    /// Reads the keys of the identity provider again.
    async fn reload_keys(&self) {
        let Some(jwt) = self.control.accounts().and_then(|accounts| accounts.jwt()) else { return };
        match jwt.reload().await {
            Ok(()) => tracing::info!("SIGHUP: the keys of the identity provider were read again"),
            Err(error) => {
                tracing::error!(%error, "SIGHUP: the keys of the identity provider can't be used; the old ones stay in effect");
            }
        }
    }

    fn apply(&mut self, cli: &Cli, configuration: &Configuration) {
        for warning in configuration.warnings() {
            tracing::warn!("{warning}");
        }
        let options = cli.options();
        if let Err(error) = self.log.set_filter(&options.log) {
            tracing::error!(%error, "SIGHUP: the log can't be changed; the old configuration stays in effect");
            return;
        }
        let mut config = options.config();
        match options.read_filter() {
            Ok(filter) => config.abuse.filter = filter,
            Err(error) => {
                tracing::error!(%error, "SIGHUP: the filter can't be used; the old configuration stays in effect");
                return;
            }
        }
        self.control.reconfigure(config);
        let reloadable = reloadable();
        let mut is_changed = false;
        for (name, value) in values(configuration) {
            if self.values.get(&name) == Some(&value) {
                continue;
            }
            is_changed = true;
            if reloadable.contains(&name) {
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
