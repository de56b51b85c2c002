//! Checks of the clock. Messages get their times from it, and the 24 hours in which a repeated
//! message is recognised are measured with it.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use super::finding::Finding;

const CLOCK_SYNC: &str = "clock sync";
const DATABASE_TIME: &str = "database time";

/// How far in the future the time of a file may be. The file system of another machine has its own
/// clock.
const TOLERANCE: Duration = Duration::from_secs(2);

/// Whether the clock is synchronized. timedatectl(1) of systemd knows this whichever program does
/// it.
pub(super) fn synchronized() -> Finding {
    let output = Command::new("timedatectl").args(["show", "--property=NTPSynchronized", "--value"]).output();
    let answer = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    match answer.as_deref() {
        Ok("yes") => Finding::good(CLOCK_SYNC, "the clock is synchronized over the network"),
        Ok("no") => Finding::warning(
            CLOCK_SYNC,
            "the clock is not synchronized: messages will have wrong times",
            "install systemd-timesyncd or chrony",
        ),
        _ => Finding::unknown(
            CLOCK_SYNC,
            "can't find out whether the clock is synchronized: timedatectl does not answer",
        ),
    }
}

/// Whether the last change of the database is in the future.
pub(super) fn database_time(path: &Path) -> Finding {
    let Ok(changed) = std::fs::metadata(path).and_then(|file| file.modified()) else {
        return Finding::good(DATABASE_TIME, "there is no database yet");
    };
    match changed.duration_since(SystemTime::now()) {
        Ok(ahead) if ahead > TOLERANCE => Finding::problem(
            DATABASE_TIME,
            format!(
                "the database was last changed {} in the future",
                humantime::format_duration(whole_seconds(ahead))
            ),
            "set the clock: it was ahead when the database was written, or it is behind now",
        ),
        _ => Finding::good(DATABASE_TIME, "the database was last changed in the past, as it should be"),
    }
}

fn whole_seconds(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_database_from_the_future_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        assert!(database_time(&path).is_good());
        let file = std::fs::File::create(&path).unwrap();
        assert!(database_time(&path).is_good());
        file.set_modified(SystemTime::now() + Duration::from_secs(3_600)).unwrap();
        assert!(database_time(&path).is_problem());
    }
}
