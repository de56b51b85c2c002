//! Tests of the NATS servers for tests.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chat_testkit::PATIENCE;
use chat_testkit::nats::Server;
use chat_testkit::needs::{self, Need};

/// Runs the helper test below in a process of its own.
const HELPER: &str = "CHATD_TEST_NATS_HELPER";

fn greeting(server: &Server) -> std::io::Result<[u8; 4]> {
    let mut stream = TcpStream::connect(server.address())?;
    stream.set_read_timeout(Some(Duration::from_millis(200)))?;
    let mut greeting = [0; 4];
    stream.read_exact(&mut greeting)?;
    Ok(greeting)
}

#[test]
fn a_nats_server_is_killed_and_restarted_at_the_same_address() {
    if !needs::are_met(&[Need::Nats]) {
        return;
    }
    let server = Server::start();
    let address = server.address();
    assert_eq!(greeting(&server).unwrap(), *b"INFO");
    server.kill();
    assert_eq!(greeting(&server).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    server.kill();
    server.restart();
    assert_eq!((server.address(), greeting(&server).unwrap()), (address, *b"INFO"));
    let folder = server.ca().parent().unwrap().to_owned();
    assert!(folder.exists() && server.log().contains("Server is ready"));
    drop(server);
    assert!(!folder.exists());
    TcpStream::connect(address).unwrap_err();
}

#[test]
fn a_nats_server_is_suspended() {
    if !needs::are_met(&[Need::Nats]) {
        return;
    }
    let server = Server::start();
    server.pause();
    let error = greeting(&server).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    server.resume();
    let begin = Instant::now();
    while greeting(&server).is_err() {
        assert!(begin.elapsed() < PATIENCE);
    }
    // also while it is suspended, it ends with the test
    server.pause();
}

#[test]
fn a_nats_server_ends_with_the_test_process() {
    if !needs::are_met(&[Need::Nats]) {
        return;
    }
    let mut helper = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "helper", "--nocapture"])
        .env(HELPER, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = String::new();
    let mut stdout = helper.stdout.take().unwrap();
    let folder = loop {
        let mut byte = [0];
        stdout.read_exact(&mut byte).unwrap();
        output.push(char::from(byte[0]));
        let mut lines = output.lines();
        if let Some(folder) = lines.find_map(|line| line.split_once("folder=")?.1.strip_suffix(';')) {
            break folder.to_owned();
        }
    };
    assert!(Path::new(&folder).exists());
    helper.kill().unwrap();
    helper.wait().unwrap();
    let begin = Instant::now();
    while Path::new(&folder).exists() {
        assert!(begin.elapsed() < PATIENCE, "{folder}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Starts a server, and waits to be killed.
#[test]
#[ignore = "a part of another test"]
fn helper() {
    if std::env::var_os(HELPER).is_some() {
        let server = Server::start();
        println!("folder={};", server.ca().parent().unwrap().display());
        std::thread::sleep(PATIENCE);
    }
}
