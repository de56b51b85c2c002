//! A server of its own for a test.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, thread};

use rand::distr::{Alphanumeric, SampleString};
use rustix::process::{Pid, Signal, kill_process};
use socket2::{Domain, Socket, Type};

use super::database::{Database, psql};
use super::home::Home;
use super::programs::{output, unprivileged};

/// The maximum duration of a start or a stop. Recovery after a kill takes a while on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The time between two looks at a server that starts or stops.
const INTERVAL: Duration = Duration::from_millis(5);

/// The superuser of every server.
const SUPERUSER: &str = "postgres";

/// The number of lines of the log that a panic shows.
const LOG_TAIL: usize = 60;

/// How a server stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Rolls back the open transactions, disconnects the clients, and writes a checkpoint.
    Fast,
    /// Ends without a checkpoint. The next start recovers.
    Immediate,
}

/// The options of a server.
#[derive(Debug, Clone)]
pub struct Builder {
    is_durable: bool,
    settings: Vec<(String, String)>,
}

impl Builder {
    /// Calls fsync, as in production. Without it a server is faster, and loses data with the
    /// machine.
    #[must_use]
    pub fn durable(mut self) -> Self {
        self.is_durable = true;
        self
    }

    /// Limits the number of connections. The default is 100, of which 3 are for superusers.
    #[must_use]
    pub fn max_connections(self, count: u32) -> Self {
        self.setting("max_connections", &count.to_string())
    }

    /// Adds a setting of `postgresql.conf`.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Creates a cluster and starts its server.
    pub fn start(self) -> Server {
        let home = Home::create();
        let password = Alphanumeric.sample_string(&mut rand::rng(), 24);
        let password_file = home.folder().join("password");
        fs::write(&password_file, &password).unwrap();
        home.give(&password_file, 0o600);
        let mut initdb = unprivileged("initdb", home.folder());
        initdb.arg("--pgdata").arg(home.data()).arg("--pwfile").arg(&password_file);
        initdb.args(["--username", SUPERUSER, "--auth-host=scram-sha-256", "--auth-local=scram-sha-256"]);
        initdb.args(["--encoding=UTF8", "--locale=C", "--no-sync"]);
        output(&mut initdb).unwrap_or_else(|error| panic!("initdb: {error}"));
        fs::remove_file(password_file).unwrap();
        append(&home.data().join("postgresql.conf"), &self.configuration());
        Server::start_in(home, password)
    }

    /// The lines for `postgresql.conf`.
    fn configuration(&self) -> String {
        // Segments of dynamic shared memory are files in the data folder: none is left elsewhere by
        // a server that was killed.
        let mut lines = "\ndynamic_shared_memory_type = mmap\n".to_owned();
        if !self.is_durable {
            lines += "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n";
        }
        for (name, value) in &self.settings {
            let value = value.replace('\'', "''");
            writeln!(lines, "{name} = '{value}'").unwrap();
        }
        lines
    }
}

/// A PostgreSQL server in a temporary folder.
///
/// When it is dropped, it ends and the folder is removed. This also happens if the test process is
/// killed.
///
/// All methods panic with the server's log if something fails.
#[derive(Debug)]
pub struct Server {
    // Dropped first: the server must have ended before `postmaster` is awaited.
    home: Home,
    postmaster: Postmaster,
    password: String,
    port: ReservedPort,
}

impl Server {
    /// Creates a cluster with the default options, and starts its server.
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// The options of a server: no fsync, and the defaults of PostgreSQL.
    pub fn builder() -> Builder {
        Builder { is_durable: false, settings: Vec::new() }
    }

    /// Starts the server of the cluster in the data folder.
    fn start_in(home: Home, password: String) -> Self {
        let server = Self { home, postmaster: Postmaster::default(), password, port: ReservedPort::new() };
        server.launch(&mut server.postmaster.lock());
        server
    }

    /// The address.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port.number).into()
    }

    /// The URL of a database for the superuser.
    pub fn url(&self, database: &str) -> String {
        self.url_with_user(database, SUPERUSER, &self.password)
    }

    /// The URL of a database for a user. The password must not need escapes.
    pub fn url_with_user(&self, database: &str, user: &str, password: &str) -> String {
        format!("postgres://{user}:{password}@{}/{database}", self.address())
    }

    /// The URL of a database on the Unix socket. It works even if TCP connections do not.
    pub fn socket_url(&self, database: &str) -> String {
        let folder = self.home.folder().to_str().unwrap().replace('/', "%2F");
        format!("postgres://{SUPERUSER}:{}@{folder}:{}/{database}", self.password, self.port.number)
    }

    /// The password of the superuser.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.home.data()
    }

    /// The log of the server.
    pub fn log(&self) -> String {
        let log = fs::read(self.home.folder().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Creates an empty database with a unique name. It exists as long as the server.
    pub fn create_database(&self) -> Database {
        Database::create(self.socket_url(SUPERUSER), |name| self.url(name))
    }

    /// Runs statements in a database, each in a transaction of its own, and returns the rows: one
    /// in a line, with `|` between columns.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        self.try_psql(database, sql).unwrap_or_else(|error| self.fail(&format!("{sql}\n{error}")))
    }

    /// Like [`psql`](Self::psql).
    ///
    /// # Errors
    /// The first error, after which no statement is run.
    pub fn try_psql(&self, database: &str, sql: &str) -> Result<String, String> {
        psql(&self.socket_url(database), sql)
    }

    /// The id of the server's main process. `None` if it is stopped.
    pub fn pid(&self) -> Option<u32> {
        self.postmaster.lock().as_ref().map(Child::id)
    }

    /// Stops the server. Does nothing if it is stopped.
    pub fn stop(&self, mode: Mode) {
        let mut postmaster = self.postmaster.lock();
        let Some(child) = &mut *postmaster else { return };
        let signal = match mode {
            Mode::Fast => Signal::INT,
            Mode::Immediate => Signal::QUIT,
        };
        // it has not ended: it is awaited only here
        let _ = kill_process(Pid::from_child(child), signal);
        self.home.signal(Signal::CONT);
        self.await_end(child);
        *postmaster = None;
    }

    /// Kills all processes of the server, as a crash of the machine would. Does nothing if it is
    /// stopped.
    pub fn kill(&self) {
        let mut postmaster = self.postmaster.lock();
        let Some(child) = &mut *postmaster else { return };
        // first, so that it neither starts other processes nor sees them end
        let _ = kill_process(Pid::from_child(child), Signal::KILL);
        self.await_end(child);
        *postmaster = None;
    }

    /// Starts the server again, with the same address. Stops it before, unless it is stopped.
    pub fn restart(&self) {
        self.stop(Mode::Fast);
        self.launch(&mut self.postmaster.lock());
    }

    /// Suspends all processes of the server: it accepts connections (the kernel does), and answers
    /// nothing.
    pub fn pause(&self) {
        let postmaster = self.postmaster.lock();
        let Some(child) = &*postmaster else { self.fail("cannot pause a server that is stopped") };
        // first, so that it starts no other processes
        let _ = kill_process(Pid::from_child(child), Signal::STOP);
        self.home.signal(Signal::STOP);
    }

    /// Lets a suspended server continue.
    pub fn resume(&self) {
        self.home.signal(Signal::CONT);
    }

    /// Starts the server, and returns once it accepts connections.
    fn launch(&self, postmaster: &mut Option<Child>) {
        let begin = Instant::now();
        // its numbers may be those of other processes by now
        let pid_file = self.home.data().join("postmaster.pid");
        loop {
            let log =
                OpenOptions::new().create(true).append(true).open(self.home.folder().join("log")).unwrap();
            let written = log.metadata().unwrap().len();
            let mut command = unprivileged("postgres", self.home.folder());
            command.arg("-D").arg(self.home.data()).arg("-k").arg(self.home.folder());
            command.args(["-h", &Ipv4Addr::LOCALHOST.to_string(), "-p", &self.port.number.to_string()]);
            // a signal for the group of the test process is not for the server
            command.process_group(0).stdout(log.try_clone().unwrap()).stderr(log);
            let mut child = command.spawn().unwrap();
            let id = child.id().to_string();
            let ended = loop {
                if let Some(status) = child.try_wait().unwrap() {
                    break status;
                }
                let lines = fs::read_to_string(&pid_file).unwrap_or_default();
                let mut lines = lines.lines().map(str::trim);
                if lines.next() == Some(&*id) && lines.nth(6) == Some("ready") {
                    *postmaster = Some(child);
                    return;
                }
                if begin.elapsed() > PATIENCE {
                    self.fail("the server does not start");
                }
                thread::sleep(INTERVAL);
            };
            let log = self.log();
            let is_port_taken = log[usize::try_from(written).unwrap()..].contains("Address already in use");
            if !is_port_taken || begin.elapsed() > PATIENCE {
                self.fail(&format!("the server does not start: {ended}"));
            }
            thread::sleep(INTERVAL);
        }
    }

    /// Returns once no process of the server is left. Kills the other ones when the main process
    /// has ended.
    fn await_end(&self, postmaster: &mut Child) -> ExitStatus {
        let begin = Instant::now();
        let mut ended = None;
        loop {
            if ended.is_none() {
                ended = postmaster.try_wait().unwrap();
            }
            if let Some(status) = ended {
                self.home.signal(Signal::KILL);
                if self.home.processes().is_empty() {
                    return status;
                }
            }
            if begin.elapsed() > PATIENCE {
                self.fail("the server does not stop");
            }
            thread::sleep(INTERVAL);
        }
    }

    /// Panics with the end of the server's log.
    #[track_caller]
    fn fail(&self, message: &str) -> ! {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        panic!("{message}\nThe server's log:\n{}", lines[lines.len().saturating_sub(LOG_TAIL)..].join("\n"));
    }
}

/// The main process of a server: `None` if the server is stopped.
#[derive(Debug, Default)]
struct Postmaster(Mutex<Option<Child>>);

impl Postmaster {
    fn lock(&self) -> MutexGuard<'_, Option<Child>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Postmaster {
    fn drop(&mut self) {
        if let Some(child) = &mut *self.lock() {
            let _ = child.wait();
        }
    }
}

/// A port that the kernel gives to nobody else, also while the server is stopped.
///
/// The port is bound and nobody listens there. Linux lets another socket bind to it by number and
/// listen, if both allow it (`SO_REUSEADDR`), as PostgreSQL does; but it chooses another port for
/// those that ask for any, and for connections.
#[derive(Debug)]
struct ReservedPort {
    number: u16,
    /// Keeps the port reserved.
    _socket: Socket,
}

impl ReservedPort {
    fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        let address = socket.local_addr().unwrap();
        Self { number: address.as_socket_ipv4().unwrap().port(), _socket: socket }
    }
}

/// Appends text to a file.
fn append(path: &std::path::Path, text: &str) {
    use std::io::Write;
    OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}
