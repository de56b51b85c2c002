//! The server, which is made to start again now and then.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;

use chat_load::measure::process;
use tokio::task::spawn_blocking;

use super::shared::Counts;
use crate::server::{Place, Server, StartError};

/// Small, so that who does not read is put out soon. It is large enough for a member that comes back.
const BACKLOG_BYTES: &str = "262144";

/// What takes a moment is done beside: others go on meanwhile.
pub(super) struct Servant {
    pub(super) address: SocketAddr,
    /// How often it was started again.
    pub(super) restarts: u64,
    program: PathBuf,
    place: Place,
    /// None only while it is ended.
    server: Option<Server>,
}

impl Servant {
    pub(super) async fn start(program: PathBuf) -> Result<Self, Box<dyn Error>> {
        let place = Place::new(None)?;
        let server = start(program.clone(), place.clone(), "127.0.0.1:0".to_owned()).await?;
        Ok(Self { address: server.address, restarts: 0, program, place, server: Some(server) })
    }

    /// Asks it to end, and starts it again where it was.
    pub(super) async fn restart(&mut self, counts: &Counts) -> Result<(), Box<dyn Error>> {
        if let Some(server) = self.server.take() {
            let status = spawn_blocking(|| server.end()).await??;
            if !status.success() {
                counts.wrong(format!("the server ended with {status}"));
            }
        }
        self.again().await
    }

    /// Kills it, and starts it again where it was.
    pub(super) async fn kill(&mut self) -> Result<(), Box<dyn Error>> {
        let server = self.server.take();
        spawn_blocking(|| drop(server)).await?;
        self.again().await
    }

    async fn again(&mut self) -> Result<(), Box<dyn Error>> {
        let (program, place) = (self.program.clone(), self.place.clone());
        self.server = Some(start(program, place, self.address.to_string()).await?);
        self.restarts += 1;
        Ok(())
    }

    /// How many bytes it has in memory.
    pub(super) fn resident(&self) -> Result<u64, Box<dyn Error>> {
        let usage = self.server.as_ref().and_then(|server| process::usage(server.pid()));
        Ok(usage.ok_or("the server has ended, or there is no /proc to read its memory from")?.resident_bytes)
    }

    /// How many bytes its database takes.
    pub(super) fn stored(&self) -> u64 {
        let files = std::fs::read_dir(self.place.folder.path()).into_iter().flatten();
        files.filter_map(|file| file.and_then(|file| file.metadata()).ok()).map(|file| file.len()).sum()
    }
}

async fn start(program: PathBuf, place: Place, listen: String) -> Result<Server, Box<dyn Error>> {
    let start = move || -> Result<Server, StartError> {
        let arguments = [
            "--listen",
            &listen,
            "--admin-listen",
            "off",
            "--backlog-bytes",
            BACKLOG_BYTES,
            "--log",
            "error",
        ];
        Server::start(&program, &place, &arguments)
    };
    Ok(spawn_blocking(start).await??)
}
