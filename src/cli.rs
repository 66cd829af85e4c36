//! The command line. All configuration is in the settings; an argument only names the settings file
//! and the command.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub use self::run::run;

mod hash_password;
mod run;

const AFTER_HELP: &str = "\
Every setting has a default. A settings file (--config) overrides the defaults, and the environment
overrides both: SWITCHBOARD__SECTION__KEY, as in SWITCHBOARD__SERVER__LISTEN=0.0.0.0:8080

Exit codes: 0 success, no findings; 1 findings, or the service is not ready or failed; 2 invalid command
line; 64 invalid setting or catalog; 65 corrupt data in the store; 69 Redis or the service cannot be
reached; 70 internal error; 77 Redis denies access";

/// Serve the Service API: contact-center services and their storage.
///
/// Without a command, serves until SIGTERM or Ctrl-C.
#[derive(Clone, Debug, Parser)]
#[command(name = "switchboard", version, after_help = AFTER_HELP)]
pub struct Arguments {
    /// TOML file with the settings that differ from the defaults
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,

    /// The command; without one, the process serves requests.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Check the settings and the catalog without starting anything
    ///
    /// Exits with 0 if they are valid; otherwise prints the error and its origin. Options that are probably
    /// misspelled are warnings.
    Check {
        /// Exit with 1 if there are warnings
        #[arg(long)]
        strict: bool,
    },
    /// Verify the bookings in Redis: list the booked access numbers with their services, and inconsistencies
    ///
    /// Changes nothing. Exits with 0 if every number is free or booked by an active service and no resources
    /// of ended services remain, with 1 otherwise, and with 69 if Redis cannot be reached.
    Verify {
        /// Check the Redis servers instead: role, mode, version, eviction policy, rights, notifications,
        /// persistence, clock
        #[arg(long)]
        redis: bool,
    },
    /// Print the whole catalog as TOML: the catalog file and the entries stored in Redis
    ///
    /// The output is a backup that can be imported. Without --with-secrets each secret is `********`, for
    /// which an import uses the current secret: such an export cannot restore a lost secret.
    Export {
        /// Include passwords and other secrets; protect the output like a password
        #[arg(long)]
        with_secrets: bool,
    },
    /// Check the health of the service that runs with these settings, as a probe for container images
    ///
    /// Connects to the public address (`server.listen`) on this machine, over TLS if configured. Exits with
    /// 0 if the service is ready or an operator set it OFFLINE, with 1 if it is not ready for another reason, and with 69
    /// if it cannot be reached.
    Healthcheck {
        /// Check only that the process runs, not that it is ready
        #[arg(long)]
        live: bool,
    },
    /// Hash the password of an agent for the setting `agents.users`
    ///
    /// Reads the password from the first line of standard input, and prints its Argon2 hash. The settings are not
    /// used.
    HashPassword,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_definitions_are_valid() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn no_arguments_mean_serve_with_defaults() {
        let arguments = Arguments::try_parse_from(["switchboard"]).unwrap();
        assert_eq!(arguments.command, None);
        assert_eq!(arguments.config, None);
    }

    #[test]
    fn the_config_option_is_accepted_before_and_after_the_command() {
        for line in [
            "switchboard --config s.toml check",
            "switchboard check --config s.toml",
        ] {
            let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
            let check = Command::Check { strict: false };
            assert_eq!(arguments.command, Some(check), "{line}");
            assert_eq!(arguments.config, Some(PathBuf::from("s.toml")), "{line}");
        }
    }

    #[test]
    fn an_unknown_command_is_refused() {
        for command in ["chekc", "audit"] {
            assert!(Arguments::try_parse_from(["switchboard", command]).is_err());
        }
    }
}
