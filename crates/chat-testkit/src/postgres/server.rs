//! A server of its own for a test.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, thread};

use rand::distr::{Alphanumeric, SampleString};
use rustix::process::{Pid, Signal, kill_process};

use super::database::{Database, psql, with_address};
use super::home::Home;
use super::programs::{output, unprivileged};
use crate::port::ReservedPort;
use crate::tls::Authority;

/// The maximum duration of a start or a stop. Recovery after a kill takes a while on a busy
/// machine.
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
    has_tls: bool,
    settings: Vec<(String, String)>,
    environment: Vec<(String, OsString)>,
    /// The size of the disk in MiB.
    disk: Option<u32>,
}

impl Builder {
    /// Calls fsync, as in production: every commit takes as long as the disk needs, and so does a
    /// start after a kill. Without it a server also keeps what is committed when it is killed, but
    /// not when the machine crashes.
    #[must_use]
    pub fn durable(mut self) -> Self {
        self.is_durable = true;
        self
    }

    /// Accepts TCP connections only with TLS. The certificate is for `localhost` and 127.0.0.1; see
    /// [`Server::ca`].
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.has_tls = true;
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

    /// Sets a variable in the environment of the server.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Puts the data on a disk of its own, in memory: see [`Server::fill_disk`]. A test states
    /// [`Need::Mount`](crate::needs::Need::Mount).
    #[must_use]
    pub fn disk(mut self, mebibytes: u32) -> Self {
        self.disk = Some(mebibytes);
        self
    }

    /// Creates a cluster and starts its server.
    pub fn start(self) -> Server {
        let home = Home::create();
        if let Some(mebibytes) = self.disk {
            home.mount_disk(mebibytes);
        }
        let password = Alphanumeric.sample_string(&mut rand::rng(), 24);
        let password_file = home.write("password", &password);
        let mut initdb = unprivileged("initdb", home.folder());
        initdb.arg("--pgdata").arg(home.data()).arg("--pwfile").arg(&password_file);
        initdb.args(["--username", SUPERUSER, "--auth-host=scram-sha-256", "--auth-local=scram-sha-256"]);
        initdb.args(["--encoding=UTF8", "--locale=C", "--no-sync"]);
        if self.disk.is_some() {
            initdb.arg("--wal-segsize=1");
        }
        output(&mut initdb).unwrap_or_else(|error| panic!("initdb: {error}"));
        fs::remove_file(password_file).unwrap();
        append(&home.data().join("postgresql.conf"), &self.configuration());
        if self.has_tls {
            write_certificate(&home);
        }
        let host = if self.has_tls { "hostssl" } else { "host" };
        let access = format!(
            "local all all scram-sha-256\nlocal replication all scram-sha-256\n\
             {host} all all 127.0.0.1/32 scram-sha-256\n{host} replication all 127.0.0.1/32 scram-sha-256\n"
        );
        home.write("data/pg_hba.conf", &access);
        Server::start_in(home, password, self.environment)
    }

    /// The lines for `postgresql.conf`.
    fn configuration(&self) -> String {
        // Segments of dynamic shared memory are files in the data folder: none is left elsewhere by
        // a server that was killed.
        let mut lines = "\ndynamic_shared_memory_type = mmap\n".to_owned();
        lines += if self.is_durable {
            // one call for all files, which takes seconds less at a start after a kill
            "recovery_init_sync_method = syncfs\n"
        } else {
            // what is written survives a kill of the server; the rest is about the machine
            "fsync = off\n"
        };
        if self.has_tls {
            lines += "ssl = on\n";
        }
        for (name, value) in &self.settings {
            writeln!(lines, "{name} = '{}'", value.replace('\'', "''")).unwrap();
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
    environment: Vec<(String, OsString)>,
}

impl Server {
    /// Creates a cluster with the default options, and starts its server.
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// The options of a server: no fsync, and the defaults of PostgreSQL.
    pub fn builder() -> Builder {
        Builder {
            is_durable: false,
            has_tls: false,
            settings: Vec::new(),
            environment: Vec::new(),
            disk: None,
        }
    }

    /// Starts the server of the cluster in the data folder.
    fn start_in(home: Home, password: String, environment: Vec<(String, OsString)>) -> Self {
        let port = ReservedPort::new();
        let server = Self { home, postmaster: Postmaster::default(), password, port, environment };
        server.launch(&mut server.postmaster.lock());
        server
    }

    /// The address.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The URL of a database for the superuser.
    pub fn url(&self, database: &str) -> String {
        self.url_with_user(database, SUPERUSER, &self.password)
    }

    /// The URL of a database for a user. The password must not need escapes.
    pub fn url_with_user(&self, database: &str, user: &str, password: &str) -> String {
        format!("postgres://{user}:{password}@{}/{database}", self.address())
    }

    /// The URL of a database at the address of a proxy.
    pub fn url_at(&self, address: SocketAddr, database: &str) -> String {
        with_address(&self.url(database), address)
    }

    /// The URL of a database on the Unix socket. It works even if TCP connections do not.
    pub fn socket_url(&self, database: &str) -> String {
        let folder = self.home.folder().to_str().unwrap().replace('/', "%2F");
        format!("postgres://{SUPERUSER}:{}@{folder}:{}/{database}", self.password, self.address().port())
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

    /// Whether the server runs: false if it has stopped by itself, too.
    pub fn is_running(&self) -> bool {
        self.postmaster.lock().as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
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
        let mut stopped = Vec::new();
        loop {
            let running = self.home.processes();
            if running == stopped {
                break;
            }
            self.home.signal(Signal::STOP);
            stopped = running;
        }
    }

    /// Lets a suspended server continue.
    pub fn resume(&self) {
        self.home.signal(Signal::CONT);
    }

    /// Fills the disk of a server that was built with [`disk`](Builder::disk), to the last byte.
    pub fn fill_disk(&self) {
        let mut ballast = File::create(self.ballast()).unwrap();
        for size in [1 << 20, 1 << 12, 1] {
            let piece = vec![0; size];
            while ballast.write_all(&piece).is_ok() {}
        }
    }

    /// Makes room again on the disk.
    pub fn free_disk(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }

    /// The file that fills the disk.
    fn ballast(&self) -> PathBuf {
        self.home.data().join("ballast")
    }

    /// The file with the certificate of the authority that signed the server's, if it has TLS.
    pub fn ca(&self) -> PathBuf {
        self.home.data().join("ca.crt")
    }

    /// Starts a standby that replicates this server, in a folder of its own and at an address of
    /// its own. Users and passwords are the same. It answers queries that only read.
    pub fn standby(&self) -> Self {
        let home = self.backup();
        // here, and not by pg_basebackup: `resume_replication` needs it as the default
        let setting = format!("primary_conninfo = '{}'\n", self.socket_url(""));
        append(&home.data().join("postgresql.conf"), &setting);
        home.write("data/standby.signal", "");
        Self::start_in(home, self.password.clone(), Vec::new())
    }

    /// Starts a server with a copy of the data, in a folder of its own and at an address of its
    /// own. It has the same system identifier, and is on the same timeline.
    pub fn copy(&self) -> Self {
        Self::start_in(self.backup(), self.password.clone(), Vec::new())
    }

    /// Like [`copy`](Self::copy), but the data is recovered from a backup, as after the loss of the
    /// server: it is on a timeline of its own.
    pub fn restored_copy(&self) -> Self {
        let home = self.backup();
        // there is no archive: all it needs is in the backup
        append(&home.data().join("postgresql.conf"), "restore_command = 'false'\n");
        home.write("data/recovery.signal", "");
        let server = Self::start_in(home, self.password.clone(), Vec::new());
        server.await_true("the server recovers", "SELECT NOT pg_is_in_recovery()");
        server
    }

    /// Makes the standby a primary, on a timeline of its own. It no longer replicates.
    pub fn promote(&self) {
        let promoted = self.psql(SUPERUSER, "SELECT pg_promote()");
        if promoted != "t" {
            self.fail("the standby is not promoted");
        }
    }

    /// Disconnects the standby from its primary: from now on it is behind. Returns once it receives
    /// nothing more.
    pub fn stop_replication(&self) {
        self.psql(SUPERUSER, "ALTER SYSTEM SET primary_conninfo = ''; SELECT pg_reload_conf()");
        self.await_true("the replication stops", "SELECT count(*) = 0 FROM pg_stat_wal_receiver");
    }

    /// Connects the standby with its primary again.
    pub fn resume_replication(&self) {
        self.psql(SUPERUSER, "ALTER SYSTEM RESET primary_conninfo; SELECT pg_reload_conf()");
    }

    /// Returns once the standby has everything that is committed on its primary now.
    pub fn catch_up(&self, primary: &Self) {
        // writes the log of asynchronous commits, and does not wait for standbys
        let flush = "SET synchronous_commit = local; SELECT pg_logical_emit_message(true, 'flush', '');";
        primary.psql(SUPERUSER, flush);
        let position = primary.psql(SUPERUSER, "SELECT pg_current_wal_flush_lsn()");
        self.await_true(
            "the standby catches up",
            &format!("SELECT pg_last_wal_replay_lsn() >= '{position}'"),
        );
    }

    /// Copies the data into another folder, while the server runs.
    fn backup(&self) -> Home {
        let home = Home::create();
        let mut command = unprivileged("pg_basebackup", home.folder());
        command.arg("--pgdata").arg(home.data()).arg("--dbname").arg(self.socket_url(""));
        command.args(["--checkpoint=fast", "--wal-method=stream", "--no-sync"]);
        output(&mut command).unwrap_or_else(|error| self.fail(&format!("pg_basebackup: {error}")));
        home
    }

    /// Returns once a query returns true.
    fn await_true(&self, what: &str, query: &str) {
        let begin = Instant::now();
        while self.psql(SUPERUSER, query) != "t" {
            if begin.elapsed() > PATIENCE {
                self.fail(&format!("still waiting: {what}"));
            }
            thread::sleep(INTERVAL);
        }
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
            let address = self.address();
            command.args(["-h", &address.ip().to_string(), "-p", &address.port().to_string()]);
            command.envs(self.environment.iter().map(|(name, value)| (name, value)));
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

/// Writes a certificate for the server, and the one of the authority that signs it.
fn write_certificate(home: &Home) {
    let authority = Authority::generate();
    let server = authority.sign();
    // in the data folder, so that standbys and copies have them
    home.write("data/ca.crt", authority.certificate_pem());
    home.write("data/server.crt", &server.certificate_pem);
    home.write("data/server.key", &server.key_pem);
}

/// Appends text to a file.
fn append(path: &Path, text: &str) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}
