//! The result of one check, and its output as text and as JSON.

use serde_json::json;

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    /// The server works, with restrictions.
    Warning,
    /// The server does not work, or not for long.
    Problem,
    /// The check was not possible.
    Unknown,
}

/// One check and its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    what: &'static str,
    verdict: Verdict,
    found: String,
    /// What to change. Empty if nothing has to change.
    advice: String,
}

impl Finding {
    pub(super) fn good(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, verdict: Verdict::Good, found: found.into(), advice: String::new() }
    }

    pub(super) fn warning(what: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what, verdict: Verdict::Warning, found: found.into(), advice: advice.into() }
    }

    pub(super) fn problem(what: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what, verdict: Verdict::Problem, found: found.into(), advice: advice.into() }
    }

    pub(super) fn unknown(what: &'static str, reason: impl Into<String>) -> Self {
        Self { what, verdict: Verdict::Unknown, found: reason.into(), advice: String::new() }
    }

    pub(super) fn is_problem(&self) -> bool {
        self.verdict == Verdict::Problem
    }

    #[cfg(test)]
    pub(super) fn is_good(&self) -> bool {
        self.verdict == Verdict::Good
    }
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Problem => "problem",
            Self::Unknown => "unknown",
        }
    }
}

/// The findings for people: one line each, and below it what to change.
pub(super) fn text(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.what.len()).max().unwrap_or_default();
    let mut lines = Vec::new();
    for Finding { what, verdict, found, advice } in findings {
        lines.push(format!("{:<7}  {what:<width$}  {found}", verdict.word()));
        if !advice.is_empty() {
            lines.push(format!("{:<7}  {:<width$}  -> {advice}", "", ""));
        }
    }
    lines.join("\n")
}

/// The findings for programs.
pub(super) fn json(findings: &[Finding]) -> serde_json::Result<String> {
    let findings: Vec<_> = findings
        .iter()
        .map(|Finding { what, verdict, found, advice }| {
            json!({
                "what": what,
                "verdict": verdict.word(),
                "found": found,
                "advice": (!advice.is_empty()).then_some(advice),
            })
        })
        .collect();
    serde_json::to_string_pretty(&json!({ "findings": findings }))
}

/// A size with a unit, for people.
pub(super) fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["bytes", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "bytes" { format!("{bytes} bytes") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_unit_that_fits() {
        let sizes = [0, 1_023, 1_024, 1_536, 16 << 20, 3 << 30, 5 << 40, u64::MAX].map(size);
        let expected = [
            "0 bytes",
            "1023 bytes",
            "1.0 KiB",
            "1.5 KiB",
            "16.0 MiB",
            "3.0 GiB",
            "5.0 TiB",
            "16777216.0 TiB",
        ];
        assert_eq!(sizes, expected);
    }

    #[test]
    fn advice_is_printed_below_its_finding() {
        let findings = [
            Finding::good("disk", "20.0 GiB are free"),
            Finding::problem("descriptors", "256", "ulimit -n 65536"),
        ];
        assert_eq!(
            text(&findings),
            "good     disk         20.0 GiB are free\n\
             problem  descriptors  256\n                      -> ulimit -n 65536"
        );
    }
}
