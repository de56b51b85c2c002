//! A server process under measurement: chatd, or the floor.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::affinity;

/// A server did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error("\"{program}\" does not start: {why}", program = .0.display(), why = .1)]
    NotStarted(PathBuf, String),
    #[error(transparent)]
    System(#[from] io::Error),
}

/// Where a server runs. Clones share the folder.
#[derive(Debug, Clone)]
pub(crate) struct Sandbox {
    /// The working directory, and the folder of the database.
    pub(crate) folder: Arc<TempDir>,
    /// The CPU of the server. `None`: any.
    pub(crate) cpu: Option<usize>,
}

impl Sandbox {
    /// A sandbox with an empty folder, which is removed with the last clone.
    pub(crate) fn new(cpu: Option<usize>) -> io::Result<Self> {
        Ok(Self { folder: Arc::new(tempfile::tempdir()?), cpu })
    }
}

/// A server process. It is killed when this is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    child: Child,
    _sandbox: Sandbox,
}

impl Server {
    /// The path of chatd: `path`, or the program beside this one.
    pub(crate) fn program(path: Option<&Path>) -> io::Result<PathBuf> {
        match path {
            Some(path) => path.canonicalize(),
            None => Ok(std::env::current_exe()?.with_file_name("chatd")),
        }
    }

    /// Starts a server, and returns once it has printed its address. The server does not inherit
    /// environment variables that configure chatd.
    pub(crate) fn start<A: AsRef<OsStr>>(
        program: &Path,
        sandbox: &Sandbox,
        arguments: &[A],
    ) -> Result<Self, StartError> {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(sandbox.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CHATD_")) {
            command.env_remove(name);
        }
        let not_started = |why: String| StartError::NotStarted(program.to_owned(), why);
        let child = spawn(&mut command, sandbox.cpu)?;
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
        Ok(Self { address, child, _sandbox: sandbox.clone() })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Shuts the server down like a service manager, and waits for its end.
    pub(crate) fn shut_down(mut self) -> io::Result<ExitStatus> {
        if let Some(pid) = Pid::from_raw(self.child.id().cast_signed()) {
            kill_process(pid, Signal::TERM)?;
        }
        self.child.wait()
    }
}

/// Starts a process on a CPU. A process inherits the affinity of the thread that starts it.
fn spawn(command: &mut Command, cpu: Option<usize>) -> io::Result<io::Result<Child>> {
    let Some(cpu) = cpu else { return Ok(command.spawn()) };
    let own = affinity::affinity()?;
    affinity::pin(cpu)?;
    let child = command.spawn();
    affinity::set_affinity(&own)?;
    Ok(child)
}

impl Drop for Server {
    fn drop(&mut self) {
        // after `shut_down` both calls succeed and do nothing
        let ended: io::Result<()> = self.child.kill().and_then(|()| self.child.wait().map(|_| ()));
        debug_assert!(ended.is_ok());
    }
}
