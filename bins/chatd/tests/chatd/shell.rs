//! Shell completions and the manual page.

use std::process::{Command, Output};

use crate::process::chatd;

fn printed(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let Output { status, stdout, stderr } = chatd(folder.path()).args(arguments).output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

/// Completes words as bash does it when the user presses Tab.
#[test]
fn bash_completes_options_and_commands() {
    let script = printed(&["completions", "bash"]);
    for (words, expected) in [("chatd --message-r", "--message-rate"), ("chatd conf", "config")] {
        // in a file: an argument may have 128 KiB
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("asks.sh");
        let asks = format!(
            "{script}\nCOMP_WORDS=({words}); COMP_CWORD=1; COMPREPLY=(); _chatd chatd \"${{COMP_WORDS[1]}}\" chatd; echo \"${{COMPREPLY[@]}}\""
        );
        std::fs::write(&file, asks).unwrap();
        let answer = Command::new("bash").arg("--norc").arg(&file).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&answer.stdout).trim(), expected, "{answer:?}");
    }
}

#[test]
fn other_shells_have_completions() {
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        let script = printed(&["completions", shell]);
        assert!(script.contains("message-rate"), "{shell}");
    }
}

#[test]
fn the_manual_page_names_every_option() {
    let page = printed(&["man"]);
    assert!(page.contains(".TH chatd 1"), "{page}");
    assert!(page.contains("Address and port to listen on"), "{page}");
    for option in ["listen", "database", "message\\-rate", "max\\-memory"] {
        assert!(page.contains(&format!("\\-\\-{option}")), "{option}");
    }
}
