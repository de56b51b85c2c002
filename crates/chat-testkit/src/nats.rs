//! NATS servers for tests: Debian's `nats-server` in a temporary folder.
//!
//! A test states the requirement first:
//!
//! ```no_run
//! use chat_testkit::nats::Server;
//! use chat_testkit::{needs, needs::Need};
//!
//! if !needs::are_met(&[Need::Nats]) {
//!     return;
//! }
//! let server = Server::builder().user("chatd", "secret").start();
//! println!("connect to {}", server.url());
//! server.kill();
//! server.restart();
//! ```
//!
//! For faults of the network there is a [`Proxy`](crate::proxy::Proxy).

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::PATIENCE;
use crate::needs::program;
use crate::port::ReservedPort;
use crate::tls::{Authority, Signed};

/// The name of the program.
pub(crate) const PROGRAM: &str = "nats-server";

/// The time between two looks at a server that starts.
const INTERVAL: Duration = Duration::from_millis(5);

/// The watchdog reads the ids of the server's processes from a pipe that only the test process can
/// write to. At the end of the pipe (the test drops the server, or the test process has ended, in
/// whatever way) it kills the last one and removes the folder.
const WATCHDOG: &str = r#"
while read -r line; do server="$line"; done
if [ -n "$server" ]; then kill -KILL "$server"; fi
rm -rf "$1"
"#;

/// The options of a server.
#[derive(Debug, Default)]
pub struct Builder {
    lines: Vec<String>,
    users: Vec<String>,
    tls: Option<Tls>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tls {
    /// The server has a certificate.
    Server,
    /// Clients need one, too.
    Both,
}

impl Builder {
    /// Adds a user, who may publish and subscribe to everything. Without a user, anyone may.
    #[must_use]
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.users.push(format!("{{user: \"{name}\", password: \"{password}\"}}"));
        self
    }

    /// Adds a user, who may publish to the one subject and subscribe to the other.
    #[must_use]
    pub fn user_with_permissions(
        mut self,
        name: &str,
        password: &str,
        publish: &str,
        subscribe: &str,
    ) -> Self {
        let permissions = format!("{{publish: \"{publish}\", subscribe: \"{subscribe}\"}}");
        self.users
            .push(format!("{{user: \"{name}\", password: \"{password}\", permissions: {permissions}}}"));
        self
    }

    /// Accepts connections only with TLS. The certificate is for `localhost` and 127.0.0.1; see
    /// [`Server::ca`].
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls = Some(Tls::Server);
        self
    }

    /// Like [`tls`](Self::tls), and clients need a certificate: see
    /// [`Server::client_certificate`].
    #[must_use]
    pub fn tls_with_client_certificates(mut self) -> Self {
        self.tls = Some(Tls::Both);
        self
    }

    /// Adds a line to the configuration file.
    #[must_use]
    pub fn line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// Starts a server.
    pub fn start(self) -> Server {
        let folder = tempfile::Builder::new().prefix("chatd-nats-").tempdir().unwrap();
        // it removes the folder
        let watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(folder.path())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // a signal for the group of the test process must not end it
            .process_group(0)
            .spawn()
            .unwrap();
        let (folder, port) = (folder.keep(), ReservedPort::new());
        fs::write(folder.join("nats.conf"), self.configuration(&folder, port.address())).unwrap();
        let process = Mutex::new(Process { child: None, watchdog });
        let server = Server { folder, port, process };
        server.launch(&mut server.lock());
        server
    }

    fn configuration(&self, folder: &Path, address: SocketAddr) -> String {
        let mut lines = vec![format!("listen: \"{address}\"")];
        if !self.users.is_empty() {
            lines.push(format!("authorization {{users: [{}]}}", self.users.join(", ")));
        }
        if let Some(tls) = self.tls {
            let authority = Authority::generate();
            let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
            write("ca.pem", authority.certificate_pem());
            for name in ["server", "client"] {
                let Signed { certificate_pem, key_pem } = authority.sign();
                write(&format!("{name}.pem"), &certificate_pem);
                write(&format!("{name}.key"), &key_pem);
            }
            let path = |name: &str| folder.join(name).display().to_string();
            lines.push(format!(
                "tls {{cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify: {}}}",
                path("server.pem"),
                path("server.key"),
                path("ca.pem"),
                tls == Tls::Both
            ));
        }
        lines.extend(self.lines.iter().cloned());
        lines.join("\n") + "\n"
    }
}

/// A NATS server on 127.0.0.1. It ends when it is dropped, and when the test process ends.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
    port: ReservedPort,
    process: Mutex<Process>,
}

#[derive(Debug)]
struct Process {
    /// `None` while the server is stopped.
    child: Option<Child>,
    watchdog: Child,
}

impl Server {
    /// Starts a server with the default options: no TLS, and no user.
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// The options of a server.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The address. It stays the same.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The URL, without a user.
    pub fn url(&self) -> String {
        format!("nats://{}", self.address())
    }

    /// The file with the certificate of the authority that signed the server's, if it has TLS.
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// The files with a certificate for a client and its key, if the server has TLS.
    pub fn client_certificate(&self) -> (PathBuf, PathBuf) {
        (self.folder.join("client.pem"), self.folder.join("client.key"))
    }

    /// The log of the server.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.join("log")).unwrap_or_default()).into_owned()
    }

    /// Kills the server, as a crash would. Does nothing if it is stopped.
    pub fn kill(&self) {
        let mut process = self.lock();
        if let Some(mut child) = process.child.take() {
            // its id may be that of another process as soon as it is awaited
            process.watch("");
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts the server again, with the same address. Kills it before, unless it is stopped.
    pub fn restart(&self) {
        self.kill();
        self.launch(&mut self.lock());
    }

    /// Suspends the server: it accepts connections (the kernel does), and answers nothing.
    pub fn pause(&self) {
        let process = self.lock();
        let id = process.id();
        kill_process(id, Signal::STOP).unwrap();
        // until all of its threads have stopped
        waitid(WaitId::Pid(id), WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT).unwrap();
    }

    /// Lets a suspended server continue.
    pub fn resume(&self) {
        kill_process(self.lock().id(), Signal::CONT).unwrap();
    }

    /// Starts the process, and returns once it accepts connections.
    fn launch(&self, process: &mut Process) {
        let begin = Instant::now();
        let program = program(PROGRAM)
            .unwrap_or_else(|| panic!("{PROGRAM} is not installed; state `Need::Nats` first"));
        loop {
            let log = OpenOptions::new().create(true).append(true).open(self.folder.join("log")).unwrap();
            let mut child = Command::new(&program)
                .arg("--config")
                .arg(self.folder.join("nats.conf"))
                .current_dir(&self.folder)
                .stdin(Stdio::null())
                .stdout(log.try_clone().unwrap())
                .stderr(log)
                .process_group(0)
                .spawn()
                .unwrap();
            process.watch(&child.id().to_string());
            while child.try_wait().unwrap().is_none() {
                if is_ready(self.address()) {
                    process.child = Some(child);
                    return;
                }
                assert!(begin.elapsed() < PATIENCE, "the server does not start:\n{}", self.log());
                thread::sleep(INTERVAL);
            }
            // the port may still be in use by the connections of the server that was killed
            process.watch("");
            assert!(begin.elapsed() < PATIENCE, "the server does not start:\n{}", self.log());
            thread::sleep(INTERVAL);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a server greets its clients.
fn is_ready(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let mut greeting = [0; 5];
    let greeted = stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.read_exact(&mut greeting));
    greeted.is_ok() && &greeting == b"INFO "
}

impl Process {
    fn id(&self) -> Pid {
        Pid::from_child(self.child.as_ref().expect("the server runs"))
    }

    /// Names the process that the watchdog kills.
    fn watch(&mut self, id: &str) {
        if let Some(stdin) = &mut self.watchdog.stdin {
            writeln!(stdin, "{id}").unwrap();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
        if let Some(child) = &mut self.child {
            let _ = child.wait();
        }
    }
}
