//! Checks of the database file.

use std::path::Path;

use chat_db::sqlite::backup::BackupError;
use chat_db::sqlite::inspect::{Inspection, inspect};

use super::finding::{Finding, size};

const WHAT: &str = "database";

/// A write-ahead log of this size is not being copied back into the file.
const LARGE_LOG: u64 = 256 << 20;

pub(super) fn in_memory() -> Finding {
    Finding::warning(
        WHAT,
        "in memory: everything is lost when the server ends",
        "set --database to the path of a file",
    )
}

pub(super) fn integrity(path: &Path) -> Finding {
    match inspect(path) {
        Ok(inspection) => evaluate(path, &inspection),
        Err(BackupError::Missing(_)) => {
            Finding::good(WHAT, format!("{} does not exist yet; the first start creates it", path.display()))
        }
        Err(error @ BackupError::Open(_)) => Finding::problem(
            WHAT,
            error.to_string(),
            "use that newer version of chatd, or restore a backup from before the upgrade",
        ),
        Err(error) => {
            Finding::problem(WHAT, error.to_string(), "restore the newest backup with chatd restore")
        }
    }
}

/// Which users can access the file. Earlier versions created files that all users can read.
#[cfg(unix)]
pub(super) fn access(path: &Path) -> Finding {
    use std::os::unix::fs::PermissionsExt;

    const WHAT: &str = "database access";
    let Ok(file) = std::fs::metadata(path) else { return Finding::good(WHAT, "there is no database yet") };
    let mode = file.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Finding::good(WHAT, "only the owner of the file can read it");
    }
    let found = format!("other users of this machine can access {} (its mode is {mode:o})", path.display());
    Finding::warning(WHAT, found, format!("chmod 600 {}", path.display()))
}

#[cfg(not(unix))]
pub(super) fn access(_path: &Path) -> Finding {
    Finding::unknown("database access", "not checked on this operating system")
}

fn evaluate(path: &Path, inspection: &Inspection) -> Finding {
    let Inspection { bytes, log_bytes, faults, pending } = inspection;
    let found = format!("{}: {}, no errors found in a complete check", path.display(), size(*bytes));
    if !faults.is_empty() {
        let found = format!("{} is damaged: {}", path.display(), faults.join("; "));
        Finding::problem(
            WHAT,
            found,
            "restore the newest backup with chatd restore, or save the rest with sqlite3's .recover",
        )
    } else if *log_bytes > LARGE_LOG {
        let found = format!(
            "{found}, but its write-ahead log has {}: another program has been reading for very long",
            size(*log_bytes)
        );
        Finding::warning(WHAT, found, "stop the other program that has the file open")
    } else if !pending.is_empty() {
        Finding::good(WHAT, format!("{found}; the next start upgrades it, so make a backup first"))
    } else {
        Finding::good(WHAT, found)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_database_that_other_users_can_read_is_a_warning() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        assert!(access(&path).is_good());
        std::fs::write(&path, "").unwrap();
        for (mode, is_good) in [(0o600, true), (0o400, true), (0o640, false), (0o644, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(access(&path).is_good(), is_good, "{mode:o}");
        }
    }

    #[test]
    fn damage_is_a_problem_and_a_large_log_is_a_warning() {
        let intact = Inspection { bytes: 4_096, log_bytes: 0, faults: Vec::new(), pending: Vec::new() };
        let path = Path::new("db");
        assert!(evaluate(path, &intact).is_good());
        assert!(evaluate(path, &Inspection { pending: vec!["1".into()], ..intact.clone() }).is_good());
        let large = evaluate(path, &Inspection { log_bytes: LARGE_LOG + 1, ..intact.clone() });
        assert!(!large.is_good() && !large.is_problem());
        assert!(evaluate(path, &Inspection { faults: vec!["page 7".into()], ..intact }).is_problem());
    }
}
