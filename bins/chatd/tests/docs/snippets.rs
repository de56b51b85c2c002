//! The code blocks of README.md and docs/. A test runs each of them, unless it is marked as output:
//! ```` ```text output ````.
//!
//! Programs that a block would build or download are replaced: `cargo run` starts the program under
//! test, `npx wscat` is wscat.mjs. The default address is replaced by that of a server on a free
//! port.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use chat_testkit::needs::{self, Need};
use regex::Regex;
use serde_json::{Value, json};

use crate::markdown::{Block, Page};
use crate::program::{self, Running, Server};
use crate::tree::{files, read, top};

/// Runs the code blocks below one heading.
type Run = fn(&[Block]);

/// The tests of the code blocks, by page and heading.
const RUNS: [(&str, &str, Run); 15] = [
    ("README.md", "Run it", the_server_starts_as_shown),
    ("README.md", "Test it", ci_runs_it),
    ("docs/contributing.md", "Build and test", ci_runs_it),
    ("docs/configuration.md", "Configuration", the_configuration_is_valid),
    ("docs/getting-started.md", "Classic: from a terminal", two_people_talk),
    ("docs/getting-started.md", "Classic: in a browser's console", the_console_talks),
    ("docs/getting-started.md", "Is a name free?", a_name_is_looked_up),
    ("docs/getting-started.md", "chat.v2: the JavaScript client", the_javascript_client_talks),
    ("docs/getting-started.md", "chat.v2: bare frames", bare_frames_talk),
    ("docs/getting-started.md", "chat.v2: the Rust client", the_rust_client_talks),
    ("docs/embedding.md", "Rooms in memory", rooms_in_memory),
    ("docs/embedding.md", "Rooms behind an axum application", an_axum_application),
    ("docs/embedding.md", "History on disk", history_on_disk),
    ("docs/operations.md", "Name, logo and welcome", the_configuration_is_valid),
    ("docs/protocol.md", "", the_contract_tests_read_it),
];

/// Pages whose commands another test runs, in these languages, and that test.
const FOLLOWED: [(&str, &[&str], &str); 3] = [
    ("docs/operations.md", &["sh"], "bins/chatd/tests/chatd/manual.rs"),
    ("docs/monitoring/README.md", &["sh"], "bins/chatd/tests/chatd/manual.rs"),
    ("docs/postgresql.md", &["sh", "sql", "toml"], "bins/chatd/tests/chatd/postgres.rs"),
];

fn pages() -> Vec<String> {
    files("md").into_iter().filter(|file| file == "README.md" || file.starts_with("docs/")).collect()
}

fn blocks(file: &str) -> Vec<Block> {
    Page::read(&read(file)).blocks
}

/// Whether a block is below this heading. All blocks of a page are below the empty heading.
fn is_below(block: &Block, heading: &str) -> bool {
    heading.is_empty() || block.heading == heading
}

/// Whether a test runs a block.
fn runs(file: &str, block: &Block) -> bool {
    let follows = |(page, languages, test): &(&str, &[&str], &str)| {
        *page == file && languages.contains(&block.info.as_str()) && read(test).contains(file)
    };
    let is_followed = FOLLOWED.iter().any(follows);
    let is_run = |(page, heading, _): &(&str, &str, Run)| *page == file && is_below(block, heading);
    is_followed || RUNS.iter().any(is_run)
}

#[test]
fn every_code_block_is_run_or_is_output() {
    let mut silent = Vec::new();
    for file in pages() {
        for block in blocks(&file).into_iter().filter(|block| !block.is_output()) {
            if !runs(&file, &block) {
                silent.push(format!("{file}, {:?}, {:?}:\n{}", block.heading, block.info, block.code));
            }
        }
    }
    assert!(
        silent.is_empty(),
        "code that no test runs: add it to RUNS, or mark it as output (```text output):\n{}",
        silent.join("\n")
    );
}

/// The READMEs of the crates are crate documentation, so `cargo test --doc` runs their code blocks.
#[test]
fn every_rust_block_of_a_crate_is_a_documentation_test() {
    let readmes =
        files("md").into_iter().filter(|file| file.starts_with("crates/") && file.ends_with("/README.md"));
    for file in readmes {
        if blocks(&file).iter().any(|block| block.language() == "rust") {
            let library = read(&file.replace("README.md", "src/lib.rs"));
            assert!(library.contains("include_str!(\"../README.md\")"), "nothing runs the code of {file}");
        }
    }
}

/// A test for each heading.
macro_rules! run {
    ($($name:ident: $file:literal, $heading:literal;)*) => {
        $(
            #[test]
            fn $name() {
                let (_, _, run) = RUNS.iter().find(|(file, heading, _)| (*file, *heading) == ($file, $heading)).unwrap();
                let mut blocks = blocks($file);
                blocks.retain(|block| is_below(block, $heading));
                assert!(!blocks.is_empty(), "{} has no code below {:?}", $file, $heading);
                run(&blocks);
            }
        )*

        #[test]
        fn every_entry_has_a_test() {
            assert_eq!(RUNS.map(|(file, heading, _)| (file, heading)), [$(($file, $heading)),*]);
        }
    };
}

run! {
    readme_run_it: "README.md", "Run it";
    readme_test_it: "README.md", "Test it";
    contributing: "docs/contributing.md", "Build and test";
    configuration: "docs/configuration.md", "Configuration";
    classic_from_a_terminal: "docs/getting-started.md", "Classic: from a terminal";
    classic_in_a_console: "docs/getting-started.md", "Classic: in a browser's console";
    look_up: "docs/getting-started.md", "Is a name free?";
    javascript_client: "docs/getting-started.md", "chat.v2: the JavaScript client";
    bare_frames: "docs/getting-started.md", "chat.v2: bare frames";
    rust_client: "docs/getting-started.md", "chat.v2: the Rust client";
    embedding_in_memory: "docs/embedding.md", "Rooms in memory";
    embedding_axum: "docs/embedding.md", "Rooms behind an axum application";
    embedding_history: "docs/embedding.md", "History on disk";
    site: "docs/operations.md", "Name, logo and welcome";
    protocol: "docs/protocol.md", "";
}

/// The only block of this language that is not output.
fn only<'b>(blocks: &'b [Block], language: &str) -> &'b str {
    let mut found = blocks.iter().filter(|block| block.language() == language && !block.is_output());
    let block = found.next().unwrap_or_else(|| panic!("no {language} in {blocks:?}"));
    assert!(found.next().is_none(), "more than one {language} in {blocks:?}");
    &block.code
}

/// The only block that is marked as output.
fn output(blocks: &[Block]) -> &str {
    let mut found = blocks.iter().filter(|block| block.is_output());
    let block = found.next().unwrap_or_else(|| panic!("no output in {blocks:?}"));
    assert!(found.next().is_none(), "more than one output in {blocks:?}");
    &block.code
}

/// Replacements of programs that build or download something, at the front of `PATH`.
struct StandIns {
    folder: tempfile::TempDir,
}

impl StandIns {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn put(&self, name: &str, script: &str) {
        let path = self.folder.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\nset -e\n{script}\n")).unwrap();
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// A shell that runs this code.
    fn shell(&self, code: &str, folder: &Path) -> Command {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let before = [self.folder.path().to_owned()];
        let path = std::env::join_paths(before.into_iter().chain(std::env::split_paths(&path))).unwrap();
        let mut shell = program::without_settings(Command::new("sh"));
        shell.args(["-euc", code]).current_dir(folder).env("PATH", path);
        shell
    }
}

/// An example program of another package. It is built now if it was not built together with the
/// tests.
fn example(package: &str, name: &str) -> PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_chatd")).with_file_name("examples").join(name);
    if !built.is_file() {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status = Command::new(cargo)
            .args(["build", "--quiet", "--all-features", "--package", package, "--example", name])
            .arg("--target-dir")
            .arg(built.ancestors().nth(3).unwrap())
            .current_dir(top())
            .status();
        assert!(status.unwrap().success(), "{name} can't be built");
    }
    built
}

fn the_server_starts_as_shown(blocks: &[Block]) {
    let (tools, folder) = (StandIns::new(), tempfile::tempdir().unwrap());
    let chatd = env!("CARGO_BIN_EXE_chatd");
    tools.put("cargo", &format!("[ \"$*\" = 'run --release -p chatd' ]\nexec '{chatd}'"));
    let mut shell = tools.shell(only(blocks, "sh"), folder.path());
    shell.env("CHATD_LISTEN", "127.0.0.1:0").env("CHATD_ADMIN_LISTEN", "127.0.0.1:0");
    let mut running = Running::start(shell.stderr(std::process::Stdio::null()));
    let any_port =
        |text: &str| Regex::new("127.0.0.1:[0-9]+").unwrap().replace_all(text, "ADDRESS").into_owned();
    for line in output(blocks).lines() {
        assert_eq!(any_port(&running.line()), any_port(line));
    }
}

/// Each command is a line of `.ci/run`, which may have more options.
fn ci_runs_it(blocks: &[Block]) {
    let ci = read(".ci/run");
    for line in only(blocks, "sh").lines() {
        let command = line.split(" #").next().unwrap().trim();
        let is_this = |line: &str| {
            let words: Vec<_> = line.split_whitespace().collect();
            command.split_whitespace().all(|word| words.contains(&word))
        };
        assert!(ci.lines().any(is_this), ".ci/run does not run {command:?}");
    }
}

fn the_configuration_is_valid(blocks: &[Block]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chatd.toml");
    std::fs::write(&file, only(blocks, "toml")).unwrap();
    let checked = program::chatd()
        .args(["config", "check", "--config"])
        .arg(&file)
        .current_dir(&folder)
        .output()
        .unwrap();
    assert!(checked.status.success(), "{checked:?}");
    assert!(!String::from_utf8_lossy(&checked.stderr).contains("not an option"), "{checked:?}");
}

/// A user who connects with the `npx wscat` command of the page.
fn wscat(server: &Server, code: &str, name: &str) -> Option<(StandIns, Running)> {
    if !needs::are_met(&[Need::Program("node")]) {
        return None;
    }
    let tools = StandIns::new();
    let script = top().join("bins/chatd/tests/docs/wscat.mjs");
    tools.put(
        "npx",
        &format!("exec node --no-warnings --experimental-websocket '{}' \"$@\"", script.display()),
    );
    let code = server.with_address(code).replace("/ana", &format!("/{name}"));
    let mut running = Running::start(&mut tools.shell(&code, server.folder()));
    running.line_with(&format!("{name} entered the room"));
    Some((tools, running))
}

fn two_people_talk(blocks: &[Block]) {
    let server = Server::start();
    let Some((_tools, mut ana)) = wscat(&server, only(blocks, "sh"), "ana") else { return };
    let Some((_tools, mut bob)) = wscat(&server, only(blocks, "sh"), "bob") else { return };
    let typed = only(blocks, "json").trim();
    ana.type_line(typed);
    let shape = |line: &str| {
        let mut frame: Value = serde_json::from_str(line).unwrap();
        for user in frame["users"].as_array_mut().unwrap() {
            assert_eq!(user["channel_name"].as_str().unwrap().len(), "c9c92ecc9f92296b9".len());
            user["channel_name"] = json!("");
        }
        frame
    };
    let shown = shape(output(blocks));
    for one in [&mut ana, &mut bob] {
        assert_eq!(shape(&one.line_with("chat_message")), shown);
    }
}

/// Runs a script for a browser, in Node.js.
fn javascript(server: &Server, code: &str) -> Option<Running> {
    if !needs::are_met(&[Need::Program("node")]) {
        return None;
    }
    let file = server.folder().join("script.mjs");
    std::fs::write(&file, code).unwrap();
    let mut node = Command::new("node");
    node.args(["--no-warnings", "--experimental-websocket"]).arg(&file).current_dir(server.folder());
    Some(Running::start(&mut node))
}

fn the_console_talks(blocks: &[Block]) {
    let server = Server::start();
    let Some(mut eve) = javascript(&server, &server.with_address(only(blocks, "js"))) else { return };
    assert_eq!(eve.line(), "chat_enter_room eve: eve entered the room [ 'eve' ]");
    assert_eq!(eve.line(), "chat_message eve: hello, all [ 'eve' ]");
}

fn a_name_is_looked_up(blocks: &[Block]) {
    if !needs::are_met(&[Need::Program("curl")]) {
        return;
    }
    let server = Server::start();
    let Some((_tools, _ana)) = wscat(&server, "npx wscat -c ws://127.0.0.1:8000/ws/chat/lobby/ana", "ana")
    else {
        return;
    };
    let asked =
        StandIns::new().shell(&server.with_address(only(blocks, "sh")), server.folder()).output().unwrap();
    let json = |text: &[u8]| serde_json::from_slice::<Value>(text).unwrap();
    assert_eq!(json(&asked.stdout), json(output(blocks).as_bytes()));
}

/// A browser imports over HTTP; Node.js imports the file that the server serves.
fn the_javascript_client_talks(blocks: &[Block]) {
    if !needs::are_met(&[Need::Program("curl")]) {
        return;
    }
    let server = Server::start();
    let url = format!("http://{}/client.js", server.address);
    let client = Command::new("curl").args(["-sSf", &url]).output().unwrap();
    std::fs::write(server.folder().join("client.mjs"), client.stdout).unwrap();
    let code = server.with_address(only(blocks, "js"));
    assert!(code.contains(&url), "{code}");
    let Some(mut kim) = javascript(&server, &code.replace(&url, "./client.mjs")) else { return };
    let line = kim.line();
    assert!(line.starts_with("lobby 1 kim hello, *all* <p") && line.contains("<em>all</em>"), "{line}");
}

fn bare_frames_talk(blocks: &[Block]) {
    let server = Server::start();
    let Some(mut mia) = javascript(&server, &server.with_address(only(blocks, "js"))) else { return };
    for kind in ["welcome", "joined", "ack", "message"] {
        mia.line_with(&format!("type: '{kind}'"));
    }
}

fn the_rust_client_talks(blocks: &[Block]) {
    let (tools, server) = (StandIns::new(), Server::start());
    let (talk, address) = (example("chat-client", "talk"), &server.address);
    tools.put(
        "cargo",
        &format!(
            "[ \"$*\" = 'run -p chat-client --example talk -- lobby ana' ]\nexec '{}' lobby ana ws://{address}/ws",
            talk.display()
        ),
    );
    let mut ana = Running::start(&mut tools.shell(only(blocks, "sh"), server.folder()));
    ana.line_with("1 person in the room");
    ana.type_line("hello");
    ana.line_with("ana: hello");
}

/// The program on the page must be the example without its leading comment, and the manifest must
/// list the crates that it uses. `cargo test --doc -p chat-rooms` also compiles it, and runs it
/// unless it is marked `no_run`.
fn is_example(blocks: &[Block], name: &str) {
    let example = read(&format!("crates/chat-rooms/examples/{name}.rs"));
    let is_above = |line: &&str| line.is_empty() || line.starts_with("//!") || line.starts_with("#![");
    let program: Vec<_> = example.lines().skip_while(is_above).collect();
    assert_eq!(only(blocks, "rust").lines().collect::<Vec<_>>(), program, "not examples/{name}.rs");
    assert!(read("crates/chat-rooms/src/lib.rs").contains("docs/embedding.md"), "nothing compiles the page");

    let manifest: toml::Table = only(blocks, "toml").parse().unwrap();
    let dependencies = manifest["dependencies"].as_table().unwrap();
    for line in program.iter().filter(|line| line.starts_with("use ")) {
        let used = line["use ".len()..].split([':', ';']).next().unwrap().replace('_', "-");
        assert!(used == "std" || dependencies.contains_key(&used), "{name} uses {used}");
    }
    for (package, value) in dependencies.iter().filter(|(package, _)| package.starts_with("chat-")) {
        let path = value["path"].as_str().unwrap().strip_prefix("../chatd/").unwrap();
        let manifest: toml::Table = read(&format!("{path}/Cargo.toml")).parse().unwrap();
        assert_eq!(manifest["package"]["name"].as_str(), Some(&**package));
    }
}

/// Compiles all programs of the page with their manifests, as a reader who copied both: in packages
/// outside the workspace. They are kept below `target`, so only the first run takes long.
#[test]
fn programs_compile_when_copied() {
    let folder = Path::new(env!("CARGO_BIN_EXE_chatd")).ancestors().nth(2).unwrap().join("copied");
    let page = blocks("docs/embedding.md");
    let headings: Vec<_> =
        page.iter().filter(|block| block.language() == "toml").map(|block| &block.heading).collect();
    assert_eq!(headings.len(), 3, "{headings:?}");
    for heading in &headings {
        let blocks: Vec<_> = page.iter().filter(|block| block.heading == **heading).cloned().collect();
        let name = heading.to_lowercase().replace(' ', "-");
        let package = folder.join(&name);
        std::fs::create_dir_all(package.join("src")).unwrap();
        let dependencies = only(&blocks, "toml");
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n{dependencies}"
        );
        std::fs::write(package.join("Cargo.toml"), manifest).unwrap();
        std::fs::write(package.join("src/main.rs"), only(&blocks, "rust")).unwrap();
    }
    if !folder.join("chatd").exists() {
        std::os::unix::fs::symlink(top(), folder.join("chatd")).unwrap();
    }
    let members: Vec<_> = headings.iter().map(|heading| heading.to_lowercase().replace(' ', "-")).collect();
    let workspace = format!("[workspace]\nresolver = \"3\"\nmembers = {members:?}\nexclude = [\"chatd\"]\n");
    std::fs::write(folder.join("Cargo.toml"), workspace).unwrap();
    std::fs::copy(top().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let checked = Command::new(cargo)
        .args(["check", "--quiet", "--offline", "--target-dir"])
        .arg(folder.join("target"))
        .current_dir(&folder)
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

fn rooms_in_memory(blocks: &[Block]) {
    is_example(blocks, "embed");
    let printed = Command::new(example("chat-rooms", "embed")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&printed.stdout), output(blocks));
}

fn an_axum_application(blocks: &[Block]) {
    is_example(blocks, "axum_app");
}

fn history_on_disk(blocks: &[Block]) {
    is_example(blocks, "history");
    let (program, folder) = (example("chat-rooms", "history"), tempfile::tempdir().unwrap());
    let run = || Command::new(&program).current_dir(&folder).output().unwrap();
    let (first, second) = (run(), run());
    assert!(first.status.success(), "{first:?}");
    assert_eq!(String::from_utf8_lossy(&second.stdout), output(blocks));
}

fn the_contract_tests_read_it(blocks: &[Block]) {
    let test = read("crates/chat-protocol/tests/contract.rs");
    assert!(test.contains("docs/protocol.md"), "nothing reads the examples of the page");
    for block in blocks {
        assert!(["json", "text"].contains(&block.language()), "{block:?}");
    }
}
