//! A server under measurement: chatd, or the floor, on one processor.

use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::BenchError;
use crate::machine;

/// A server process; ended when this is dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    child: Child,
    /// Where its database is.
    _folder: TempDir,
}

impl Server {
    /// Starts chatd with these options, besides those that every measurement has.
    pub(super) fn chatd(program: &Path, processor: usize, options: &[&str]) -> Result<Self, BenchError> {
        let always = ["--listen", "127.0.0.1:0", "--message-rate", "0", "--log", "error"];
        Self::start(program, processor, &[&always[..], options].concat())
    }

    /// Starts the floor.
    pub(super) fn floor(processor: usize) -> Result<Self, BenchError> {
        Self::start(&std::env::current_exe()?, processor, &["floor", "--listen", "127.0.0.1:0"])
    }

    fn start(program: &Path, processor: usize, arguments: &[&str]) -> Result<Self, BenchError> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::piped());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CHATD_")) {
            command.env_remove(name);
        }
        // a process starts where the thread is that starts it
        let own = machine::affinity()?;
        machine::pin(processor)?;
        let child = command.spawn();
        machine::set_affinity(&own)?;
        let mut child =
            child.map_err(|error| BenchError::NotStarted(program.to_owned(), error.to_string()))?;
        let mut announced = String::new();
        if let Some(output) = &mut child.stdout {
            BufReader::new(output).read_line(&mut announced)?;
        }
        let address = announced.split("http://").nth(1).and_then(|rest| rest.split_whitespace().next());
        let Some(address) = address.and_then(|address| address.parse().ok()) else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(BenchError::NotStarted(
                program.to_owned(),
                "it does not say where it listens".into(),
            ));
        };
        Ok(Self { address, child, _folder: folder })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let ended: io::Result<()> = self.child.kill().and_then(|()| self.child.wait().map(|_| ()));
        debug_assert!(ended.is_ok());
    }
}
