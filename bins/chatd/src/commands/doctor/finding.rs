//! What was found, and how it is told.

use serde_json::json;

/// How good something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    /// It works, up to a point.
    Warning,
    /// It does not, or not for long.
    Problem,
    /// It could not be looked at.
    Unknown,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    what: &'static str,
    verdict: Verdict,
    found: String,
    /// What to change; empty where nothing has to be.
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

    pub(super) fn unknown(what: &'static str, why: impl Into<String>) -> Self {
        Self { what, verdict: Verdict::Unknown, found: why.into(), advice: String::new() }
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

/// For people: a line for each, and below it what to change.
pub(super) fn text(findings: &[Finding]) -> String {
    let wide = findings.iter().map(|finding| finding.what.len()).max().unwrap_or_default();
    let mut lines = Vec::new();
    for Finding { what, verdict, found, advice } in findings {
        lines.push(format!("{:<7}  {what:<wide$}  {found}", verdict.word()));
        if !advice.is_empty() {
            lines.push(format!("{:<7}  {:<wide$}  -> {advice}", "", ""));
        }
    }
    lines.join("\n")
}

/// For programs.
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

/// A size as people read it.
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
    fn sizes_are_told_in_the_unit_that_fits() {
        let told = [0, 1_023, 1_024, 1_536, 16 << 20, 3 << 30, 5 << 40, u64::MAX].map(size);
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
        assert_eq!(told, expected);
    }

    #[test]
    fn advice_stands_below_what_it_is_about() {
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
