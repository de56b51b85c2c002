//! Words that several commands print.

/// A number of things: `1 room`, `2 rooms`.
pub(crate) fn plural(count: usize, thing: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_not_many() {
        assert_eq!([0, 1, 2].map(|count| plural(count, "room")), ["0 rooms", "1 room", "2 rooms"]);
    }
}
