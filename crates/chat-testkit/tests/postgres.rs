//! Tests of the PostgreSQL servers for tests.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod postgres {
    use std::net::TcpStream;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use chat_testkit::needs::{self, Need};
    use chat_testkit::postgres::{self, Mode, Server};
    use chat_testkit::proxy::{Direction, Proxy};

    /// Whether the test can run.
    fn is_here() -> bool {
        needs::are_met(&[Need::Postgres])
    }

    /// Returns once the condition is true.
    fn until(what: &str, condition: impl Fn() -> bool) {
        let begin = Instant::now();
        while !condition() {
            assert!(begin.elapsed() < chat_testkit::PATIENCE, "still waiting: {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_server_starts_and_leaves_nothing() {
        if !is_here() {
            return;
        }
        let server = Server::builder().max_connections(20).setting("cluster_name", "it's").start();
        let version: u32 = server.psql("postgres", "SHOW server_version_num").parse().unwrap();
        assert!(version >= 150_000, "{version}");
        let settings =
            "SHOW max_connections; SHOW cluster_name; SHOW server_encoding; SHOW fsync; SHOW lc_collate";
        assert_eq!(server.psql("postgres", settings), "20\nit's\nUTF8\noff\nC");
        assert!(server.try_psql("postgres", "SELECT 1/0").unwrap_err().contains("division by zero"));
        TcpStream::connect(server.address()).unwrap();

        let (data, address) = (server.data(), server.address());
        assert!(data.exists());
        drop(server);
        assert!(!data.parent().unwrap().exists());
        TcpStream::connect(address).unwrap_err();
    }

    #[test]
    fn a_killed_server_leaves_no_shared_memory() {
        if !is_here() {
            return;
        }
        let server = Server::start();
        let key = std::fs::read_to_string(server.data().join("postmaster.pid")).unwrap();
        let key = key.lines().nth(6).unwrap().split_whitespace().next().unwrap().to_owned();
        let is_there = || {
            let segments = std::fs::read_to_string("/proc/sysvipc/shm").unwrap();
            segments.lines().any(|line| line.split_whitespace().next() == Some(&*key))
        };
        assert!(is_there());
        server.kill();
        assert!(is_there());
        drop(server);
        assert!(!is_there());
    }

    #[test]
    fn each_database_is_empty_and_dropped() {
        if !is_here() {
            return;
        }
        let (one, other) = (postgres::shared(), postgres::shared());
        assert_ne!(one.name(), other.name());
        one.psql("CREATE TABLE here (id int); INSERT INTO here VALUES (1), (2)");
        assert_eq!(one.psql("SELECT id FROM here ORDER BY id"), "1\n2");
        assert!(other.try_psql("SELECT * FROM here").unwrap_err().contains("does not exist"));
        assert!(one.url().ends_with(one.name()));

        let name = one.name().to_owned();
        drop(one);
        let count = format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'");
        assert_eq!(other.psql(&count), "0");
    }

    #[test]
    fn what_is_committed_survives_a_kill() {
        if !is_here() {
            return;
        }
        let server = Server::builder().durable().start();
        let database = server.create_database();
        assert_eq!(database.psql("SHOW fsync; SHOW synchronous_commit"), "on\non");
        database.psql("CREATE TABLE kept (id int)");
        let address = server.address();
        for round in 1..=3 {
            database.psql(&format!("INSERT INTO kept VALUES ({round})"));
            server.kill();

            assert_eq!(server.pid(), None);
            assert!(database.try_psql("SELECT 1").is_err());
            server.restart();
            assert_eq!(database.psql("SELECT count(*) FROM kept"), round.to_string());
        }
        assert!(server.log().contains("automatic recovery in progress"));
        for mode in [Mode::Fast, Mode::Immediate] {
            server.stop(mode);
            server.stop(mode);
            server.restart();
        }
        assert_eq!(database.psql("SELECT count(*) FROM kept"), "3");
        assert_eq!(server.address(), address);
    }

    #[test]
    fn a_kill_ends_running_statements() {
        if !is_here() {
            return;
        }
        let server = Server::start();
        std::thread::scope(|scope| {
            let slow = scope.spawn(|| server.try_psql("postgres", "SELECT pg_sleep(60)"));
            let running = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
            until("the statement runs", || server.psql("postgres", running) == "1");
            server.kill();
            slow.join().unwrap().unwrap_err();
        });
        server.restart();
        assert_eq!(server.psql("postgres", "SELECT 1"), "1");
    }

    #[test]
    fn a_paused_server_answers_nothing() {
        if !is_here() {
            return;
        }
        let server = Server::start();
        server.pause();
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| server.psql("postgres", "SELECT 1"));
            std::thread::sleep(Duration::from_millis(200));
            assert!(!asked.is_finished());
            server.resume();
            assert_eq!(asked.join().unwrap(), "1");
        });
        // a paused server can be stopped, killed and dropped
        server.pause();
        server.restart();
        server.pause();
        server.kill();
        server.restart();
        server.pause();
        let data = server.data();
        drop(server);
        assert!(!data.exists());
    }

    #[test]
    fn a_server_ends_with_the_test_process() {
        const IS_CHILD: &str = "IS_TO_BE_KILLED";
        if std::env::var_os(IS_CHILD).is_some() {
            let _server = Server::start();
            loop {
                std::thread::park();
            }
        }
        if !is_here() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let homes = || folder.read_dir().unwrap().map(|home| home.unwrap().path());
        // while the cluster is created, while the server starts, and while it runs
        for (file, text) in
            [("data/PG_VERSION", ""), ("data/postmaster.pid", ""), ("log", "is ready to accept")]
        {
            let mut process = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "postgres::a_server_ends_with_the_test_process"])
                .env(IS_CHILD, "1")
                .env("TMPDIR", &folder)
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            let has_text = |path| std::fs::read_to_string(path).is_ok_and(|found| found.contains(text));
            until(file, || homes().any(|home| has_text(home.join(file))));
            process.kill().unwrap();
            process.wait().unwrap();
            until("the folder is removed", || homes().count() == 0);
            let processes = std::fs::read_dir("/proc").unwrap().flatten();
            let in_folder = |cwd: PathBuf| cwd.starts_with(&folder);
            let left =
                processes.filter(|process| process.path().join("cwd").read_link().is_ok_and(in_folder));
            assert_eq!(left.count(), 0, "{file}");
        }
    }

    #[test]
    fn tls_is_required_and_verified() {
        if !is_here() {
            return;
        }
        let (server, other) = (Server::builder().tls().start(), Server::builder().tls().start());
        let url = server.url("postgres");
        let verified =
            |server: &Server| format!("{url}?sslmode=verify-full&sslrootcert={}", server.ca().display());
        let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        assert_eq!(postgres::psql(&verified(&server), sql).unwrap(), "t");
        let error = postgres::psql(&verified(&other), sql).unwrap_err();
        assert!(error.contains("certificate verify failed"), "{error}");
        let error = postgres::psql(&format!("{url}?sslmode=disable"), sql).unwrap_err();
        assert!(error.contains("no encryption"), "{error}");
    }

    #[test]
    fn a_user_has_a_password() {
        if !is_here() {
            return;
        }
        let server = Server::start();
        server.psql("postgres", "CREATE ROLE ana LOGIN PASSWORD 'secret'");
        let asked = |password| {
            postgres::psql(&server.url_with_user("postgres", "ana", password), "SELECT current_user")
        };
        assert_eq!(asked("secret").unwrap(), "ana");
        assert!(asked("wrong").unwrap_err().contains("password authentication failed"));
    }

    /// The system identifier, and the timeline.
    fn identity(server: &Server) -> (String, String) {
        let identifier = server.psql("postgres", "SELECT system_identifier FROM pg_control_system()");
        let timeline = server.psql("postgres", "SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)");
        (identifier, timeline)
    }

    #[test]
    fn a_standby_is_promoted_and_may_be_behind() {
        if !is_here() {
            return;
        }
        let primary = Server::start();
        let database = primary.create_database();
        let (name, count) = (database.name(), "SELECT count(*) FROM kept");
        database.psql("CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)");
        let standby = primary.standby();
        database.psql("INSERT INTO kept VALUES (2)");
        standby.catch_up(&primary);
        assert_eq!(standby.psql(name, count), "2");
        assert!(standby.try_psql(name, "DELETE FROM kept").unwrap_err().contains("read-only"));

        standby.stop_replication();
        database.psql("INSERT INTO kept VALUES (3)");
        standby.resume_replication();
        standby.catch_up(&primary);
        assert_eq!(standby.psql(name, count), "3");

        standby.stop_replication();
        database.psql("INSERT INTO kept VALUES (4)");
        let (identifier, timeline) = identity(&primary);
        primary.kill();
        standby.promote();
        assert_eq!(standby.psql(name, count), "3");
        standby.psql(name, "INSERT INTO kept VALUES (5)");
        assert_eq!(timeline, "00000001");
        assert_eq!(identity(&standby), (identifier, "00000002".to_owned()));
    }

    #[test]
    fn a_copy_has_the_data_of_its_moment() {
        if !is_here() {
            return;
        }
        let server = Server::start();
        server.psql("postgres", "CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)");
        let (copy, restored) = (server.copy(), server.restored_copy());
        server.psql("postgres", "INSERT INTO kept VALUES (2)");
        for server in [&copy, &restored] {
            assert_eq!(server.psql("postgres", "SELECT count(*) FROM kept"), "1");
            server.psql("postgres", "INSERT INTO kept VALUES (3)");
        }
        let (identifier, timeline) = identity(&server);
        assert_eq!(identity(&copy), (identifier.clone(), timeline));
        assert_eq!(identity(&restored), (identifier, "00000002".to_owned()));
    }

    #[test]
    fn a_proxy_loses_an_answer() {
        if !is_here() {
            return;
        }
        let database = postgres::shared();
        let proxy = Proxy::start(database.address());
        let url = database.url_at(proxy.address());
        postgres::psql(&url, "CREATE TABLE kept (id int)").unwrap();

        std::thread::scope(|scope| {
            // commits once the table is not locked, and by then nothing reaches the client
            let locks = "BEGIN; LOCK kept; SELECT pg_sleep(60)";
            let holder = scope.spawn(|| database.try_psql(locks));
            let count = |what: &str| {
                let name = database.name();
                let sql =
                    format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND {what}");
                database.psql(&sql)
            };
            until("the table is locked", || count("wait_event = 'PgSleep'") == "1");
            let client = scope.spawn(|| postgres::psql(&url, "INSERT INTO kept VALUES (1)"));
            until("the client waits", || count("wait_event_type = 'Lock'") == "1");
            assert_eq!(proxy.connections(), 1);

            proxy.stall(Direction::ToClient);
            database.psql(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity \
                 WHERE datname = current_database() AND wait_event = 'PgSleep'",
            );
            holder.join().unwrap().unwrap_err();
            until("the row is committed", || database.psql("SELECT count(*) FROM kept") == "1");
            assert!(!client.is_finished());
            proxy.cut();
            let error = client.join().unwrap().unwrap_err();
            assert!(error.contains("connection to server was lost"), "{error}");
            assert_eq!(proxy.connections(), 0);
        });
        proxy.resume();
        assert_eq!(postgres::psql(&url, "SELECT 1").unwrap(), "1");
    }
}
