//! The database itself.

use std::path::Path;

use chat_db::backup::BackupError;
use chat_db::inspect::{Inspection, inspect};

use super::finding::{Finding, size};

const WHAT: &str = "database";

/// A log of this size is not being copied back into the file.
const LONG_LOG: u64 = 256 << 20;

pub(super) fn none() -> Finding {
    Finding::warning(WHAT, "in memory: all is forgotten at the end", "--database with the path of a file")
}

pub(super) fn integrity(path: &Path) -> Finding {
    match inspect(path) {
        Ok(inspection) => judge(path, &inspection),
        Err(BackupError::Missing(_)) => {
            Finding::good(WHAT, format!("there is no {} yet; the first start makes it", path.display()))
        }
        Err(error @ BackupError::Open(_)) => {
            Finding::problem(WHAT, error.to_string(), "that newer version, or a backup from before it")
        }
        Err(error) => Finding::problem(WHAT, error.to_string(), "chatd restore, with the newest backup"),
    }
}

fn judge(path: &Path, inspection: &Inspection) -> Finding {
    let Inspection { bytes, log_bytes, faults, pending } = inspection;
    let found = format!("{}: {}, all of it read", path.display(), size(*bytes));
    if !faults.is_empty() {
        let found = format!("{} is damaged: {}", path.display(), faults.join("; "));
        Finding::problem(WHAT, found, "chatd restore, with the newest backup; or sqlite3's .recover")
    } else if *log_bytes > LONG_LOG {
        let found = format!("{found}, and its log has {}: something reads for very long", size(*log_bytes));
        Finding::warning(WHAT, found, "end what else has the file open")
    } else if !pending.is_empty() {
        Finding::good(WHAT, format!("{found}; the next start brings it up to date, so back it up before"))
    } else {
        Finding::good(WHAT, found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_told() {
        let sound = Inspection { bytes: 4_096, log_bytes: 0, faults: Vec::new(), pending: Vec::new() };
        let path = Path::new("db");
        assert!(judge(path, &sound).is_good());
        assert!(judge(path, &Inspection { pending: vec!["1".into()], ..sound.clone() }).is_good());
        let long = judge(path, &Inspection { log_bytes: LONG_LOG + 1, ..sound.clone() });
        assert!(!long.is_good() && !long.is_problem());
        assert!(judge(path, &Inspection { faults: vec!["page 7".into()], ..sound }).is_problem());
    }
}
