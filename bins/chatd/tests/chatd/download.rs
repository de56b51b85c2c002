//! The files of a release, packed from the program under test, and machines to install them on.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::machine::Machine;
use chat_testkit::needs::Need;

/// The requirements of packing a release and installing the package.
pub(crate) const NEEDS: &[Need] = &[
    Need::Program("cargo"),
    Need::Program("cargo-deb"),
    Need::Program("strip"),
    Need::Program("tar"),
    Need::Program("gzip"),
    Need::Program("sha256sum"),
    Need::Program("dpkg"),
    Need::Path("/var/lib/dpkg/status"),
    Need::Program("deb-systemd-helper"),
];

/// Prepares a machine: `apt-get` only installs packages from files, `cargo` copies the program
/// under test, services may start, and the unit can read the workspace.
const PREPARE: &str = r#"
cat > /usr/local/bin/apt-get <<'END'
#!/bin/sh
set -e
for argument; do
    case "$argument" in ./*.deb) dpkg --install "$argument" ;; esac
done
END
cat > /usr/local/bin/cargo <<'END'
#!/bin/sh
set -e
mkdir -p target/release
cp chatd-under-test target/release/chatd
END
chmod 755 /usr/local/bin/apt-get /usr/local/bin/cargo
rm -f /usr/sbin/policy-rc.d
mkdir -p /etc/systemd/system/chatd.service.d
printf '[Service]\nProtectHome=no\n%s\n' "$bind" > /etc/systemd/system/chatd.service.d/workspace.conf
"#;

/// A folder with the program under test, the files of a checkout that docs/operations.md uses, and
/// the files of a release if the machine can pack them.
pub(crate) struct Download(TempDir);

pub(crate) fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A machine that meets these requirements and has the download in `/srv/chatd`. `None` if the test
/// is skipped.
pub(crate) async fn machine(needs: &[Need]) -> Option<(Machine, Download)> {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::boot(folder.path(), needs).await?;
    let download = Download(folder);
    download.copy("packaging");
    download.copy("docs");
    download.copy_program();
    if needs.contains(&Need::Program("cargo-deb")) {
        download.pack();
    }
    // a unit with `DynamicUser` always has a private /tmp
    let below_tmp = top().strip_prefix("/tmp").ok().and_then(|path| path.iter().next().map(PathBuf::from));
    let bind =
        below_tmp.map(|first| format!("BindReadOnlyPaths=/tmp/{}", first.display())).unwrap_or_default();
    machine.must(&format!("bind='{bind}'\n{PREPARE}"));
    Some((machine, download))
}

impl Download {
    fn copy(&self, what: &str) {
        let status = Command::new("cp").arg("-r").arg(top().join(what)).arg(self.0.path()).status();
        assert!(status.unwrap().success());
    }

    fn program(&self) -> PathBuf {
        self.0.path().join("chatd-under-test")
    }

    fn copy_program(&self) {
        std::fs::copy(env!("CARGO_BIN_EXE_chatd"), self.program()).unwrap();
    }

    /// Packs the files of a release.
    fn pack(&self) {
        // debug information makes the program four times as large
        let stripped = Command::new("strip").arg(self.program()).status().unwrap();
        assert!(stripped.success());
        std::fs::set_permissions(self.program(), std::fs::Permissions::from_mode(0o755)).unwrap();
        // pack.sh expects the name of the program in a release
        let chatd = self.0.path().join("chatd");
        std::fs::hard_link(self.program(), &chatd).unwrap();
        let output = Command::new("bash")
            .arg(top().join("packaging/dist/pack.sh"))
            .arg(format!("{}-unknown-linux-musl", std::env::consts::ARCH))
            .args([self.0.path(), &top().join("LICENSE-MIT"), &chatd])
            .env("FAST", "1")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::remove_file(chatd).unwrap();
    }

    /// Commands of the page, with the file names for the architecture of this machine.
    pub(crate) fn named_here(&self, commands: &str) -> String {
        let arch = std::env::consts::ARCH;
        let debian = match arch {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        commands.replace("x86_64", arch).replace("amd64", debian)
    }
}
