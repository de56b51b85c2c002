//! Text that several commands print.

/// A count with its noun: `1 room`, `2 rooms`.
pub(crate) fn plural(count: usize, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_is_singular() {
        assert_eq!([0, 1, 2].map(|count| plural(count, "room")), ["0 rooms", "1 room", "2 rooms"]);
    }
}
