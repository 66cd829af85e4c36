//! Argon2 hashes of passwords, in PHC string format.

use std::fmt;

use argon2::{
    Argon2, Params, PasswordHasher, PasswordVerifier,
    password_hash::phc::{PasswordHash as Phc, Salt},
};
use ring::rand::{SecureRandom, SystemRandom};

/// The largest accepted parameters: memory in KiB, passes, degree of parallelism. They bound the cost of a verification.
const MAX_PARAMETERS: (u32, u32, u32) = (64 * 1024, 10, 16);
/// The maximum size of a password in bytes.
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// The hash of a password.
#[derive(Clone)]
pub struct PasswordHash(Phc);

impl PasswordHash {
    /// Hashes a password with the default parameters of Argon2id, 19 MiB of memory and 2 passes, and a random salt.
    /// `None` if the system has no randomness.
    #[must_use]
    pub fn create(password: &str) -> Option<Self> {
        let mut salt = [0; Salt::RECOMMENDED_LENGTH];
        SystemRandom::new().fill(&mut salt).ok()?;
        let hasher = Argon2::default();
        let hash = hasher.hash_password_with_salt(password.as_bytes(), &salt);
        Some(Self(hash.ok()?))
    }

    /// Parses an Argon2 hash whose verification is not too expensive.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hash = Phc::new(text).ok()?;
        let (memory, passes, parallelism) = MAX_PARAMETERS;
        let parameters = Params::try_from(&hash).ok()?;
        let is_argon2 = hash.algorithm.as_str().starts_with("argon2");
        let is_affordable = parameters.m_cost() <= memory
            && parameters.t_cost() <= passes
            && parameters.p_cost() <= parallelism;
        let is_complete = hash.salt.is_some() && hash.hash.is_some();
        (is_argon2 && is_affordable && is_complete).then_some(Self(hash))
    }

    /// Whether it is the hash of `password`. Takes tens of milliseconds and the memory of its parameters.
    #[must_use]
    pub fn verify(&self, password: &str) -> bool {
        let password = password.as_bytes();
        password.len() <= MAX_PASSWORD_BYTES
            && Argon2::default().verify_password(password, &self.0).is_ok()
    }

    /// The text, as the settings have it.
    #[must_use]
    pub fn to_phc(&self) -> String {
        self.0.to_string()
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hash of "password" with parameters for tests.
    const CHEAP: &str = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$";

    fn hash_with(parameters: Params) -> String {
        let hasher = Argon2::from(parameters);
        let hash = hasher.hash_password_with_salt(b"password", b"somesalt");
        hash.unwrap().to_string()
    }

    #[test]
    fn a_created_hash_is_parsed_and_verifies_only_its_password() {
        let text = PasswordHash::create("p\u{e4}ss w\u{f6}rd")
            .unwrap()
            .to_phc();
        assert!(
            text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{text}"
        );
        let hash = PasswordHash::parse(&text).unwrap();
        assert!(hash.verify("p\u{e4}ss w\u{f6}rd"));
        assert!(!hash.verify("pass word") && !hash.verify(""));
        assert_ne!(
            PasswordHash::create("p\u{e4}ss w\u{f6}rd")
                .unwrap()
                .to_phc(),
            text,
            "salted"
        );
        assert_eq!(format!("{hash:?}"), "PasswordHash");
    }

    #[test]
    fn a_password_that_is_too_long_never_matches() {
        let long = "a".repeat(MAX_PASSWORD_BYTES + 1);
        let hasher = Argon2::from(Params::new(8, 1, 1, None).unwrap());
        let hash = hasher
            .hash_password_with_salt(long.as_bytes(), b"somesalt")
            .unwrap();
        assert!(!PasswordHash(hash).verify(&long));
    }

    #[test]
    fn only_complete_and_affordable_argon2_hashes_are_accepted() {
        let cheap = hash_with(Params::new(8, 1, 1, None).unwrap());
        assert!(cheap.starts_with(CHEAP), "{cheap}");
        assert!(PasswordHash::parse(&cheap).unwrap().verify("password"));
        for refused in [
            "",
            "password",
            "$argon2id$v=19$m=8,t=1,p=1",
            CHEAP,
            "$pbkdf2-sha256$i=1000$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "$2y$10$ZnZnZnZnZnZnZnZnZnZnZe",
            &cheap.replace("m=8", "m=65537"),
            &cheap.replace("t=1", "t=11"),
            &cheap.replace("m=8", "m=1024").replace("p=1", "p=17"),
            &cheap.replace("m=8", "m=7"),
        ] {
            assert!(PasswordHash::parse(refused).is_none(), "{refused}");
        }
    }
}
