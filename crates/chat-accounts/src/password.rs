//! Passwords and their hashes.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// The memory that a hash takes, in KiB. This and the two below are what OWASP recommends
/// (<https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html>).
const MEMORY_KIB: u32 = 19 * 1_024;

/// How often a hash goes through its memory.
const ITERATIONS: u32 = 2;

/// How many threads could compute a hash together. More of them would need more memory for the same
/// strength.
const LANES: u32 = 1;

/// How many random bytes are in a salt.
const SALT_BYTES: usize = 16;

/// What a user types to sign in. `Debug` does not show it, and its memory is overwritten when it is
/// dropped.
///
/// It is compared in NFKC, because keyboards and systems differ in how they compose characters.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// Why a text is not accepted as a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// It has too few characters.
    #[error("a password must have at least {min} characters")]
    TooShort {
        /// The minimum number of characters.
        min: usize,
    },
    /// It has too many bytes.
    #[error("a password must not have more than {max} bytes")]
    TooLong {
        /// The maximum number of bytes.
        max: usize,
    },
}

impl Password {
    /// The minimum number of characters of a new password.
    pub const MIN: usize = 8;

    /// The maximum number of bytes of a password.
    pub const MAX: usize = 1_024;

    /// A new password, which has to have the minimum length.
    ///
    /// # Errors
    /// [`PasswordError::TooShort`] or [`PasswordError::TooLong`].
    ///
    /// ```
    /// use chat_accounts::{Password, PasswordError};
    ///
    /// assert_eq!(Password::new("1234567").unwrap_err(), PasswordError::TooShort { min: 8 });
    /// assert_eq!(format!("{:?}", Password::new("correct horse")?), "Password(..)");
    /// # Ok::<(), PasswordError>(())
    /// ```
    pub fn new(text: &str) -> Result<Self, PasswordError> {
        let password = Self::attempt(text)?;
        if password.0.chars().nth(Self::MIN - 1).is_none() {
            return Err(PasswordError::TooShort { min: Self::MIN });
        }
        Ok(password)
    }

    /// A password to be compared with that of an account. It may be short: an answer at once would
    /// say that the password was not compared.
    ///
    /// # Errors
    /// [`PasswordError::TooLong`].
    pub fn attempt(text: &str) -> Result<Self, PasswordError> {
        if text.len() > Self::MAX {
            return Err(PasswordError::TooLong { max: Self::MAX });
        }
        // with enough capacity for nearly all passwords: a copy would not be overwritten
        let mut normal = Zeroizing::new(String::with_capacity(4 * text.len()));
        normal.extend(text.nfkc());
        Ok(Self(normal))
    }

    /// Computes the hash of the password with a new, random salt. This takes some ten milliseconds
    /// and 19 MiB; [`Hasher`](crate::Hasher) does it without blocking async workers.
    ///
    /// # Errors
    /// [`HashError::Failed`] if there is not enough memory.
    pub fn hash(&self) -> Result<PasswordHash, HashError> {
        let salt: [u8; SALT_BYTES] = rand::random();
        let hash = argon2()?.hash_password_with_salt(self.0.as_bytes(), &salt).map_err(HashError::failed)?;
        Ok(PasswordHash(hash.to_string().into()))
    }

    /// Whether this is the password with this hash. It costs as much as [`hash`](Self::hash).
    ///
    /// # Errors
    /// [`HashError::Failed`] if there is not enough memory, or the hash can't be used.
    pub fn matches(&self, hash: &PasswordHash) -> Result<bool, HashError> {
        let hash = phc::PasswordHash::new(&hash.0).map_err(HashError::failed)?;
        // the parameters are those of the hash
        match argon2()?.verify_password(self.0.as_bytes(), &hash) {
            Ok(()) => Ok(true),
            Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
            Err(error) => Err(HashError::failed(error)),
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

fn argon2() -> Result<Argon2<'static>, HashError> {
    let params = Params::new(MEMORY_KIB, ITERATIONS, LANES, None).map_err(HashError::failed)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// The hash of a password, with its salt and parameters. `Debug` does not show it.
///
/// Its text form is a [PHC string](https://github.com/P-H-C/phc-string-format).
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Arc<str>);

/// A text is not the hash of a password. The text is not part of the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be the hash of a password by Argon2, as a PHC string")]
pub struct PasswordHashError;

impl PasswordHash {
    /// A hash that no password has, with the same parameters as those of new passwords.
    pub(crate) fn of_nothing() -> Self {
        // the salt and the output are the base64 of zeros
        let (salt, output) = ("A".repeat(22), "A".repeat(43));
        Self(format!("$argon2id$v=19$m={MEMORY_KIB},t={ITERATIONS},p={LANES}${salt}${output}").into())
    }

    /// The text form, for a store. Do not log it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether new passwords are hashed with other parameters than this one was.
    pub fn needs_rehash(&self) -> bool {
        let is_current = |hash: &phc::PasswordHash| {
            let params = Params::try_from(hash).ok()?;
            let is_algorithm = hash.algorithm == Algorithm::Argon2id.ident();
            let is_version = hash.version == Some(Version::V0x13.into());
            let current = (MEMORY_KIB, ITERATIONS, LANES);
            Some(is_algorithm && is_version && (params.m_cost(), params.t_cost(), params.p_cost()) == current)
        };
        !phc::PasswordHash::new(&self.0).is_ok_and(|hash| is_current(&hash) == Some(true))
    }
}

impl FromStr for PasswordHash {
    type Err = PasswordHashError;

    fn from_str(text: &str) -> Result<Self, PasswordHashError> {
        let hash = phc::PasswordHash::new(text).map_err(|_| PasswordHashError)?;
        let is_complete = hash.salt.is_some() && hash.hash.is_some();
        if is_complete && Algorithm::try_from(hash.algorithm.as_str()).is_ok() {
            Ok(Self(text.into()))
        } else {
            Err(PasswordHashError)
        }
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// Why a password was not hashed or compared.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum HashError {
    /// Too many passwords are waiting. Try again later.
    #[error("too many passwords are waiting to be hashed")]
    Busy,
    /// There is not enough memory, or the program is shutting down, or a stored hash can't be used.
    #[error("the password can't be hashed: {0}")]
    Failed(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

impl HashError {
    pub(crate) fn failed(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Failed(Arc::new(cause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "$argon2id$v=19$m=4096,t=3,p=1$c29tZXNhbHQ$";

    #[test]
    fn a_password_has_limits() {
        assert!(Password::new("éééééééé").is_ok());
        assert_eq!(Password::new("ééééééé").unwrap_err(), PasswordError::TooShort { min: 8 });
        assert_eq!(Password::new(&"e\u{301}".repeat(7)).unwrap_err(), PasswordError::TooShort { min: 8 });
        assert!(Password::new(&"x".repeat(1_024)).is_ok());
        assert_eq!(Password::new(&"x".repeat(1_025)).unwrap_err(), PasswordError::TooLong { max: 1_024 });
        assert!(Password::attempt("").is_ok());
        assert!(Password::attempt(&"x".repeat(1_025)).is_err());
    }

    #[test]
    fn only_the_password_matches_its_hash() {
        let password = Password::new("correct horse").unwrap();
        let hash = password.hash().unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
        assert!(password.matches(&hash).unwrap());
        assert!(!Password::attempt("correct horsf").unwrap().matches(&hash).unwrap());
        assert!(!Password::attempt("").unwrap().matches(&hash).unwrap());
        assert_ne!(password.hash().unwrap(), hash, "each hash has a salt of its own");
        assert_eq!(hash.as_str().parse(), Ok(hash.clone()));
        assert!(!hash.needs_rehash());
    }

    #[test]
    fn a_password_matches_in_any_composition() {
        let hash = Password::new("caf\u{e9} cr\u{e8}me").unwrap().hash().unwrap();
        assert!(Password::attempt("cafe\u{301} cre\u{300}me").unwrap().matches(&hash).unwrap());
    }

    #[test]
    fn nothing_matches_the_hash_of_nothing() {
        let nothing = PasswordHash::of_nothing();
        assert_eq!(nothing.as_str().parse(), Ok(nothing.clone()));
        assert!(!nothing.needs_rehash(), "it costs what the hash of a password costs");
        assert!(!Password::attempt("").unwrap().matches(&nothing).unwrap());
    }

    #[test]
    fn old_parameters_are_accepted_and_replaced() {
        let params = Params::new(4_096, 3, 1, None).unwrap();
        let old = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let old = old.hash_password_with_salt(b"correct horse", b"somesalt").unwrap().to_string();
        assert!(old.starts_with(OLD), "{old}");
        let old: PasswordHash = old.parse().unwrap();
        assert!(old.needs_rehash());
        assert!(Password::attempt("correct horse").unwrap().matches(&old).unwrap());
        assert!(!Password::attempt("wrong").unwrap().matches(&old).unwrap());
    }

    #[test]
    fn only_hashes_by_argon2_are_accepted() {
        for wrong in [
            "",
            "secret",
            OLD,
            "$argon2id$v=19$m=4096,t=3,p=1",
            "$scrypt$ln=17,r=8,p=1$AAAAAAAA$AAAAAAAAAAAAAAAA",
        ] {
            assert_eq!(wrong.parse::<PasswordHash>(), Err(PasswordHashError), "{wrong}");
        }
    }

    #[test]
    fn passwords_and_hashes_are_not_in_debug_output() {
        let hash = PasswordHash::of_nothing();
        let shown = format!("{:?} {hash:?}", Password::new("correct horse").unwrap());
        assert_eq!(shown, "Password(..) PasswordHash(..)");
    }
}
