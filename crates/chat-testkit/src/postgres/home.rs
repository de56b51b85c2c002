//! The temporary folder of a server, and the watchdog that ends the server.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::programs::{named, output, owner};

/// The watchdog reads from a pipe that only the test process can write to. At the end of the pipe
/// (the test drops the server, or the test process has ended, in whatever way) it ends the server
/// and removes the folder.
///
/// All processes of a server have the data folder as their current folder, and programs that create
/// it have the folder around it; nothing else has. A server that was killed leaves a segment of
/// shared memory, whose id is in its pid file.
const WATCHDOG: &str = r#"
read -r line
folder="$1"
processes() {
    for cwd in /proc/[0-9]*/cwd; do
        if [ "$cwd" -ef "$folder/data" ] || [ "$cwd" -ef "$folder" ]; then
            process="${cwd#/proc/}"
            echo "${process%/cwd}"
        fi
    done
}
# end_by COUNT COMMAND...: runs the command up to COUNT times, until no process is left
end_by() {
    left="$1"
    shift
    while [ "$left" -gt 0 ]; do
        running="$(processes)"
        if [ -z "$running" ]; then return; fi
        "$@" $running
        sleep 0.05
        left=$((left - 1))
    done
}
running="$(processes)"
if [ -n "$running" ]; then
    postmaster="$(head -n 1 "$folder/data/postmaster.pid")"
    for process in $running; do
        if [ "$process" = "$postmaster" ]; then
            kill -QUIT "$process"
        elif [ "/proc/$process/cwd" -ef "$folder" ]; then
            kill -TERM "$process"
        fi
    done
    end_by 40 kill -CONT
    end_by 100 kill -KILL
fi
if [ -e "$folder/data/postmaster.pid" ]; then
    set -- $(sed -n 7p "$folder/data/postmaster.pid")
    if [ -n "$2" ]; then ipcrm -m "$2"; fi
fi
if mountpoint -q "$folder/data"; then umount --lazy "$folder/data"; fi
rm -rf "$folder"
"#;

/// The temporary folder of a server. When it is dropped, the server ends and the folder is removed.
#[derive(Debug)]
pub(super) struct Home {
    folder: PathBuf,
    watchdog: Child,
}

impl Home {
    /// Creates a folder that the user of the server owns.
    pub(super) fn create() -> Self {
        let folder = tempfile::Builder::new().prefix("chatd-postgres-").tempdir().unwrap();
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
        let folder = folder.keep();
        let home = Self { folder: folder.canonicalize().unwrap(), watchdog };
        // the test reads the log, and connects to the socket
        home.give(&home.folder, 0o755);
        home
    }

    /// Puts the data on a disk of this size.
    pub(super) fn mount_disk(&self, mebibytes: u32) {
        fs::create_dir(self.data()).unwrap();
        let size = format!("size={mebibytes}m");
        output(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(self.data()))
            .unwrap_or_else(|error| panic!("mount: {error}"));
        self.give(&self.data(), 0o700);
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The data folder of the server.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Writes a file that only the user of the server can read, and replaces an existing one.
    /// Returns its path.
    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, text).unwrap();
        self.give(&path, 0o600);
        path
    }

    /// Gives a file or a folder to the user of the server.
    fn give(&self, path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        if let Some((user, group)) = owner() {
            chown(path, Some(user), Some(group))
                .unwrap_or_else(|error| panic!("cannot give {} to the user {user}: {error}", named(path)));
        }
    }

    /// The running processes of the server.
    pub(super) fn processes(&self) -> Vec<Pid> {
        let data = self.data();
        let is_of_server = |process: &Path| fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == data);
        fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| {
                let process = entry.ok()?.path();
                let id = process.file_name()?.to_str()?.parse().ok()?;
                if is_of_server(&process) { Pid::from_raw(id) } else { None }
            })
            .collect()
    }

    /// Sends a signal to all processes of the server.
    pub(super) fn signal(&self, signal: Signal) {
        for process in self.processes() {
            // it may have ended
            let _ = kill_process(process, signal);
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}
