//! Which names look alike.

use chat_protocol::Username;
use icu_casemap::CaseMapper;
use unicode_normalization::UnicodeNormalization;

/// Raised when names get other keys although the versions of the data are the same. A test finds
/// that.
const REVISION: u32 = 1;

/// The keys of a name, in order: two names look alike if they have a key in common. Each name has
/// one to three keys.
///
/// A key is the skeleton of UTS 39 (<https://www.unicode.org/reports/tr39/#Confusable_Detection>),
/// in which characters that look alike are the same, without the difference between upper and lower
/// case. A name looks like another one if it does so as it is written, in its compatibility form
/// (NFKC), or in lower case, so it has a key for each. One key would not do: "Ian" looks like "lan"
/// as it is written, but in lower case it is the name "ian".
///
/// ```
/// use chat_accounts::look_alike_keys;
///
/// let keys = |name: &str| Ok::<_, chat_protocol::NameError>(look_alike_keys(&name.parse()?));
/// assert_eq!(keys("ana")?, ["ana"]);
/// assert_eq!(keys("Аna")?, ["ana"], "with a Cyrillic letter");
/// assert_eq!(keys("Ian")?, ["ian", "lan"]);
/// # Ok::<(), chat_protocol::NameError>(())
/// ```
pub fn look_alike_keys(name: &Username) -> Vec<String> {
    keys(name.as_str())
}

/// The versions of the data from which [`look_alike_keys`] follow. A store keeps this text with the
/// keys, and computes them again when it has changed.
pub fn look_alike_version() -> String {
    let confusables = unicode_security::UNICODE_VERSION;
    let normalization = unicode_normalization::UNICODE_VERSION;
    format!(
        "confusables {}.{}.{}, normalization {}.{}.{}, revision {REVISION}",
        confusables.0, confusables.1, confusables.2, normalization.0, normalization.1, normalization.2
    )
}

fn keys(name: &str) -> Vec<String> {
    // most names; their three forms are the same
    let is_plain = name.bytes().all(|byte| byte.is_ascii_lowercase());
    if is_plain {
        return vec![key(name)];
    }
    let compatible: String = name.nfkc().collect();
    let folded: String = fold(&compatible).nfkc().collect();
    let mut keys = vec![key(name), key(&compatible), key(&folded)];
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// The skeleton without differences in case. It is folded between two skeletons, because a letter
/// may look like one whose lower case looks like something else: a Cyrillic "М" looks like "M",
/// which in lower case looks like "rn".
fn key(text: &str) -> String {
    skeleton(&fold(&skeleton(text)))
}

fn skeleton(text: &str) -> String {
    unicode_security::skeleton(text).collect()
}

fn fold(text: &str) -> String {
    CaseMapper::new().fold_string(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    fn look_alike(a: &str, b: &str) -> bool {
        let keys = |name: &str| look_alike_keys(&Username::parse(name).unwrap());
        let (a, b) = (keys(a), keys(b));
        assert!((1..=3).contains(&a.len()));
        a.iter().any(|key| b.contains(key))
    }

    #[test]
    fn names_that_look_alike_are_recognised() {
        for (name, other) in [
            // case
            ("ana", "Ana"),
            ("ana", "ANA"),
            ("straße", "STRASSE"),
            ("Вова", "вова"),
            ("ΣΑΣ", "σας"),
            // other scripts: Cyrillic, Greek, Cherokee
            ("ana", "\u{430}na"),
            ("paypal", "p\u{430}ypal"),
            ("paypal", "р\u{430}ура\u{4cf}"),
            ("max", "М\u{410}Х"),
            ("ana", "АNА"),
            ("oleg", "\u{3bf}leg"),
            ("DAVE", "\u{13a0}\u{13aa}\u{13d9}\u{13ac}"),
            // letters that look like one or several others
            ("rn", "m"),
            ("modern", "rnodem"),
            ("paypal", "paypaI"),
            ("paypal", "paypa1"),
            ("Ivan", "lvan"),
            ("bob", "b0b"),
            ("BOB", "b0b"),
            ("IVAN0", "ivano"),
            ("O0", "oo"),
            ("alf", "al\u{17f}"),
            ("als", "al\u{17f}"),
            // compatibility forms: fullwidth, ligatures, mathematical letters
            ("ana", "\u{ff41}\u{ff4e}\u{ff41}"),
            ("ANA", "\u{ff41}\u{ff2e}\u{ff41}"),
            ("fix", "\u{fb01}x"),
            ("ana", "\u{1d41a}\u{1d427}\u{1d41a}"),
            // marks
            ("jose\u{301}", "jos\u{e9}"),
            ("i", "\u{131}"),
        ] {
            assert!(look_alike(name, other), "{name} {other}");
            assert!(look_alike(other, name), "{name} {other}");
        }
    }

    #[test]
    fn names_that_differ_are_not_confused() {
        for (name, other) in [
            ("ana", "anna"),
            ("ana", "an"),
            ("ana", "ana_"),
            ("ana", "bna"),
            ("Ana", "Anja"),
            ("jose", "jos\u{e9}"),
            ("ivan", "lvan"),
            ("ann", "am"),
            ("O0", "08"),
            ("ana1", "ana2"),
            ("user5", "users"),
            ("世界", "世間"),
            ("вова", "bob"),
            ("a-b", "a_b"),
        ] {
            assert!(!look_alike(name, other), "{name} {other}");
        }
    }

    #[test]
    fn the_version_names_the_data() {
        let version = look_alike_version();
        assert!(version.starts_with("confusables 1"), "{version}");
        assert!(version.contains(", normalization 1"), "{version}");
        assert!(version.ends_with(&format!(", revision {REVISION}")), "{version}");
    }

    /// If this fails, names have other keys than before, and the keys in a database are computed
    /// again only if the version has changed: unless `look_alike_version` is another one already,
    /// raise `REVISION`. Then write the new values here.
    #[test]
    fn other_keys_have_another_version() {
        let mut hash = Sha256::new();
        // all characters that the data maps to something; ideographs after them have no entries
        for c in ('\0'..'\u{32000}').filter(|c| c.is_ascii_alphanumeric() || !c.is_ascii()) {
            for key in keys(c.encode_utf8(&mut [0; 4])) {
                hash.update(key);
                hash.update([0]);
            }
        }
        let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((&*look_alike_version(), &*digest), EXPECTED);
    }

    const EXPECTED: (&str, &str) = (
        "confusables 18.0.0, normalization 18.0.0, revision 1",
        "c59d3a27e5309a7ef2c62d74fa8531beae33ffc460f563a2a24aa90a1380106d",
    );

    proptest! {
        #[test]
        fn the_fast_path_changes_nothing(name in "[a-z]{1,20}") {
            let folded: String = fold(&name).nfkc().collect();
            prop_assert_eq!(keys(&name), [key(&folded)]);
        }

        #[test]
        fn a_name_looks_like_itself_in_any_case(text in "\\PC{1,50}") {
            if let Ok(name) = Username::parse(&text) {
                let keys = look_alike_keys(&name);
                for other in [fold(name.as_str()), name.as_str().nfkc().collect()] {
                    if let Ok(other) = Username::parse(&other) {
                        prop_assert!(look_alike_keys(&other).iter().any(|key| keys.contains(key)), "{}", other);
                    }
                }
            }
        }
    }
}
