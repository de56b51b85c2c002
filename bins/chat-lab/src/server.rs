//! A server process of our own: chatd, or the floor.

use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::affinity;

/// A server does not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error("\"{program}\" does not start: {why}", program = .0.display(), why = .1)]
    NotStarted(PathBuf, String),
    #[error(transparent)]
    System(#[from] io::Error),
}

/// Where a server runs: its folder, in which its database is, and its processor.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) folder: Arc<TempDir>,
    /// None: any.
    pub(crate) processor: Option<usize>,
}

impl Place {
    /// An empty folder, gone with the last of those who have it.
    pub(crate) fn new(processor: Option<usize>) -> io::Result<Self> {
        Ok(Self { folder: Arc::new(tempfile::tempdir()?), processor })
    }
}

/// A server process; killed when this is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    child: Child,
    _place: Place,
}

impl Server {
    /// The chatd that is meant: the one that was named, or the one beside this program.
    pub(crate) fn program(named: Option<&Path>) -> io::Result<PathBuf> {
        match named {
            Some(program) => program.canonicalize(),
            None => Ok(std::env::current_exe()?.with_file_name("chatd")),
        }
    }

    /// Returns when it says where it listens. Nothing of its configuration comes from this process's environment.
    pub(crate) fn start(program: &Path, place: &Place, arguments: &[&str]) -> Result<Self, StartError> {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(place.folder.path()).stdin(Stdio::null()).stdout(Stdio::piped());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CHATD_")) {
            command.env_remove(name);
        }
        let not_started = |why: String| StartError::NotStarted(program.to_owned(), why);
        let child = spawn(&mut command, place.processor)?;
        let mut child = child.map_err(|error| not_started(error.to_string()))?;
        let mut announced = String::new();
        if let Some(output) = &mut child.stdout {
            BufReader::new(output).read_line(&mut announced)?;
        }
        let address = announced.split("http://").nth(1).and_then(|rest| rest.split_whitespace().next());
        let Some(address) = address.and_then(|address| address.parse().ok()) else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(not_started("it does not print the address it listens on".into()));
        };
        Ok(Self { address, child, _place: place.clone() })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, as a service manager would, and waits until it has.
    pub(crate) fn end(mut self) -> io::Result<ExitStatus> {
        if let Some(pid) = Pid::from_raw(self.child.id().cast_signed()) {
            kill_process(pid, Signal::TERM)?;
        }
        self.child.wait()
    }
}

/// A process starts where the thread is that starts it.
fn spawn(command: &mut Command, processor: Option<usize>) -> io::Result<io::Result<Child>> {
    let Some(processor) = processor else { return Ok(command.spawn()) };
    let own = affinity::affinity()?;
    affinity::pin(processor)?;
    let child = command.spawn();
    affinity::set_affinity(&own)?;
    Ok(child)
}

impl Drop for Server {
    fn drop(&mut self) {
        // one that has ended is waited for again
        let ended: io::Result<()> = self.child.kill().and_then(|()| self.child.wait().map(|_| ()));
        debug_assert!(ended.is_ok());
    }
}
