//! The clock, from which messages have their times, and acks of messages that come again their 24 hours.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use super::finding::Finding;

const SYNC: &str = "clock sync";
const DATABASE_TIME: &str = "database time";

/// So far in the future a file may be: file systems of other machines have clocks of their own.
const LEEWAY: Duration = Duration::from_secs(2);

/// Whether something sets it. systemd's tool knows that whichever program does it (timedatectl(1)).
pub(super) fn synchronized() -> Finding {
    let asked = Command::new("timedatectl").args(["show", "--property=NTPSynchronized", "--value"]).output();
    let answer = asked.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    match answer.as_deref() {
        Ok("yes") => Finding::good(SYNC, "the clock is synchronized over the network"),
        Ok("no") => Finding::warning(
            SYNC,
            "the clock is not synchronized: messages will have wrong times",
            "install systemd-timesyncd or chrony",
        ),
        _ => Finding::unknown(
            SYNC,
            "can't find out whether the clock is synchronized: timedatectl does not answer",
        ),
    }
}

/// Whether the database is from the future.
pub(super) fn of_file(path: &Path) -> Finding {
    let Ok(changed) = std::fs::metadata(path).and_then(|file| file.modified()) else {
        return Finding::good(DATABASE_TIME, "there is no database yet");
    };
    match changed.duration_since(SystemTime::now()) {
        Ok(ahead) if ahead > LEEWAY => Finding::problem(
            DATABASE_TIME,
            format!(
                "the database was last changed {} in the future",
                humantime::format_duration(whole(ahead))
            ),
            "set the clock: it was ahead when the database was written, or it is behind now",
        ),
        _ => Finding::good(DATABASE_TIME, "the database was last changed in the past, as it should be"),
    }
}

fn whole(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_database_from_the_future_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        assert!(of_file(&path).is_good());
        let file = std::fs::File::create(&path).unwrap();
        assert!(of_file(&path).is_good());
        file.set_modified(SystemTime::now() + Duration::from_secs(3_600)).unwrap();
        assert!(of_file(&path).is_problem());
    }
}
