//! Checks of the disk that stores the database.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use super::finding::{Finding, size};

/// Below this free space there is a warning.
const LOW_SPACE: u64 = 1 << 30;

/// Below this free space there is a problem.
const CRITICAL_SPACE: u64 = 64 << 20;

/// The maximum number of syncs that are measured.
const MAX_SYNCS: usize = 200;

/// The maximum time of the measurement.
const MAX_TIME: Duration = Duration::from_secs(2);

/// The number of bytes that are written before each sync, as by the commit of one message.
const BLOCK_BYTES: usize = 4_096;

/// From this median on there is a warning. Acks wait for a sync, and people notice a tenth of a
/// second.
const SLOW: Duration = Duration::from_millis(20);

/// From this median on there is a problem.
const TOO_SLOW: Duration = Duration::from_millis(200);

pub(super) fn space(database: &Path) -> Finding {
    const WHAT: &str = "disk space";
    let folder = folder(database);
    let free = match rustix::fs::statvfs(folder) {
        Ok(stat) => stat.f_bavail.saturating_mul(stat.f_frsize),
        Err(error) => {
            let found = format!("{}: {error}", folder.display());
            return Finding::problem(WHAT, found, "create the folder, or choose another --database");
        }
    };
    let found = format!("{} free in {}", size(free), folder.display());
    let advice = "free some space, or set --history-max-age or --history-max-count: on a full disk no message is stored";
    match free {
        ..CRITICAL_SPACE => Finding::problem(WHAT, found, advice),
        CRITICAL_SPACE..LOW_SPACE => Finding::warning(WHAT, found, advice),
        LOW_SPACE.. => Finding::good(WHAT, found),
    }
}

/// The type of the file system (statfs(2)). SQLite's write-ahead log needs memory that all
/// processes with the file open share; a network file system has none
/// (<https://sqlite.org/wal.html>).
#[cfg(target_os = "linux")]
pub(super) fn file_system(database: &Path) -> Finding {
    const WHAT: &str = "file system";
    const NETWORK: [(u64, &str); 6] = [
        (0x6969, "NFS"),
        (0x517b, "SMB"),
        (0xff53_4d42, "CIFS"),
        (0xfe53_4d42, "SMB2"),
        (0x0102_1997, "9P"),
        (0x00c3_6400, "Ceph"),
    ];
    const TEMPORARY: [(u64, &str); 3] =
        [(0x0102_1994, "tmpfs"), (0x8584_58f6, "ramfs"), (0x794c_7630, "overlayfs of a container")];
    let magic = match rustix::fs::statfs(folder(database)) {
        // the type is signed on some machines
        Ok(stat) => (stat.f_type as u64) & 0xffff_ffff,
        Err(error) => return Finding::unknown(WHAT, error.to_string()),
    };
    let named = |kinds: &[(u64, &'static str)]| {
        kinds.iter().find(|(number, _)| *number == magic).map(|(_, name)| *name)
    };
    if let Some(name) = named(&NETWORK) {
        Finding::problem(
            WHAT,
            format!("the database is on a network file system ({name}), which SQLite does not support"),
            "set --database to a path on a local disk",
        )
    } else if let Some(name) = named(&TEMPORARY) {
        let found = format!("the database is on a temporary file system ({name}) and is lost with it");
        Finding::warning(WHAT, found, "set --database to a path on a disk or a volume")
    } else {
        Finding::good(WHAT, "the database is on a local file system")
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn file_system(_database: &Path) -> Finding {
    Finding::unknown("file system", "not checked on this operating system")
}

pub(super) fn sync_time(database: &Path) -> Finding {
    const WHAT: &str = "disk sync";
    let times = match measure(folder(database)) {
        Ok(times) => times,
        Err(error) => {
            let found = format!("can't write next to the database: {error}");
            return Finding::problem(WHAT, found, "give the server's user write access to the folder");
        }
    };
    let (Some(&median), Some(&longest)) = (times.get(times.len() / 2), times.last()) else {
        return Finding::unknown(WHAT, "could not measure");
    };
    let found = format!(
        "a commit takes {median:.1?} to reach the disk (longest of {}: {longest:.1?}); acks wait for it",
        times.len()
    );
    if median >= TOO_SLOW {
        Finding::problem(WHAT, found, "use an SSD, or a disk that no other program uses")
    } else if median >= SLOW {
        Finding::warning(WHAT, found, "use an SSD")
    } else {
        Finding::good(WHAT, found)
    }
}

/// The durations of the syncs, in ascending order.
fn measure(folder: &Path) -> std::io::Result<Vec<Duration>> {
    let mut file = tempfile::Builder::new().prefix(".chatd-doctor-").tempfile_in(folder)?;
    let block = [0x5a; BLOCK_BYTES];
    let began = Instant::now();
    let mut times = Vec::new();
    while times.len() < MAX_SYNCS && began.elapsed() < MAX_TIME {
        file.write_all(&block)?;
        let before = Instant::now();
        file.as_file().sync_data()?;
        times.push(before.elapsed());
    }
    times.sort_unstable();
    Ok(times)
}

/// The folder of the database, which need not exist yet.
fn folder(database: &Path) -> &Path {
    database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_measurement_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let times = measure(folder.path()).unwrap();
        assert!(!times.is_empty() && times.is_sorted());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(!space(&folder.path().join("db")).is_problem());
    }

    #[test]
    fn a_missing_folder_is_a_problem() {
        let nowhere = Path::new("/nowhere/at/all/chatd.sqlite3");
        assert!(space(nowhere).is_problem());
        assert!(sync_time(nowhere).is_problem());
    }
}
