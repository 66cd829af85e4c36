//! `switchboard hash-password`

use std::{
    io::{self, BufRead, IsTerminal, Write},
    process::ExitCode,
};

use crate::password_hash::{MAX_PASSWORD_BYTES, PasswordHash};

/// Reads a password from standard input and prints its hash.
pub(super) fn hash_password() -> ExitCode {
    let input = io::stdin();
    if input.is_terminal() {
        drop(writeln!(
            io::stderr(),
            "Password (it is shown while you type):"
        ));
    }
    match hash_of_line(input.lock()) {
        Ok(hash) => {
            drop(writeln!(io::stdout(), "{hash}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            drop(writeln!(io::stderr(), "switchboard: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// The hash of the first line, without its line end.
fn hash_of_line(input: impl BufRead) -> Result<String, String> {
    // A line end has two bytes at most.
    let mut limited = input.take(MAX_PASSWORD_BYTES as u64 + 2);
    let mut line = String::new();
    let read = limited.read_line(&mut line);
    read.map_err(|error| format!("cannot read the password: {error}"))?;
    let password = line.strip_suffix('\n').unwrap_or(&line);
    let password = password.strip_suffix('\r').unwrap_or(password);
    if password.is_empty() || password.len() > MAX_PASSWORD_BYTES {
        return Err(format!(
            "the password has {} bytes; expected 1 to {MAX_PASSWORD_BYTES} bytes on the first line of standard input",
            password.len()
        ));
    }
    let hash = PasswordHash::create(password);
    let hash = hash.ok_or("the system has no random numbers")?;
    Ok(hash.to_phc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_password() {
        for line in ["pass word", "pass word\n", "pass word\r\nmore\n"] {
            let hash = hash_of_line(line.as_bytes()).unwrap();
            let hash = PasswordHash::parse(&hash).unwrap();
            assert!(hash.verify("pass word"), "{line:?}");
        }
    }

    #[test]
    fn empty_and_long_passwords_are_refused() {
        let long = "a".repeat(MAX_PASSWORD_BYTES + 1);
        for line in ["", "\n", "\r\nx", &long] {
            let error = hash_of_line(line.as_bytes()).unwrap_err();
            assert!(error.contains("expected 1 to 1024 bytes"), "{error}");
            assert!(!error.contains("aaa"), "{error}");
        }
        assert!(
            hash_of_line(&[0xff, b'\n'][..])
                .unwrap_err()
                .contains("UTF-8")
        );
    }
}
