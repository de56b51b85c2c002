//! Numbers for people.

/// A number and its noun, in the plural if necessary: `1 room`, `2 rooms`.
pub fn counted(count: impl TryInto<u64>, noun: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    format!("{} {noun}{}", number(count as f64), if count == 1 { "" } else { "s" })
}

/// A number with thousands separators, and with one decimal below 100.
pub fn number(value: f64) -> String {
    if value.abs() < 100.0 && value.fract() != 0.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && digit.is_ascii_digit() && (digits.len() - i).is_multiple_of(3) && !out.ends_with('-') {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nouns_agree_with_their_number() {
        assert_eq!(counted(0_usize, "sender"), "0 senders");
        assert_eq!(counted(1_usize, "sender"), "1 sender");
        assert_eq!(counted(1_000_u64, "room"), "1,000 rooms");
    }

    #[test]
    fn numbers_have_separators() {
        for (value, expected) in [
            (0.0, "0"),
            (1.5, "1.5"),
            (999.6, "1,000"),
            (1_234_567.0, "1,234,567"),
            (-1_234.0, "-1,234"),
            (123.0, "123"),
        ] {
            assert_eq!(number(value), expected);
        }
    }
}
