//! The command line. Everything that can be set is a setting; an argument says only where to find
//! the settings and what to do with them.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub use self::run::run;

mod run;

const AFTER_HELP: &str = "\
Every setting has a default. A file (--config) goes over the defaults, and the environment over both:
SWITCHBOARD__SECTION__KEY, as in SWITCHBOARD__SERVER__LISTEN=0.0.0.0:8080

Exit codes: 0 success, nothing found; 1 something was found, or the service is not ready or ended by
itself; 2 the command line is invalid; 64 a setting or the catalog is invalid; 65 the store holds what
cannot be read; 69 Redis, or the service that is asked, cannot be reached; 70 internal error; 77 Redis
denies access";

/// Serve the Service API: start contact-center services and keep data with them.
///
/// Without a command, serves until it is told to stop (SIGTERM or Ctrl-C).
#[derive(Clone, Debug, Parser)]
#[command(name = "switchboard", version, after_help = AFTER_HELP)]
pub struct Arguments {
    /// TOML file with settings; it need hold only those that differ from the defaults
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,

    /// What to do; absent means to serve.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What can be done instead of serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Look whether the settings and the catalogue are right, start nothing, and exit
    ///
    /// Exits with 0 if they are; otherwise it tells what is wrong, and where it stands. Options that are
    /// probably misspelled are warnings.
    Check {
        /// Exit with 1 if there are warnings
        #[arg(long)]
        strict: bool,
    },
    /// Verify the bookings in Redis: which access numbers are booked by which service, and by none
    ///
    /// Reads everything and changes nothing. Exits with 0 if every number is free or booked by an active
    /// service and nothing is left of ended ones, with 1 if not, and with 69 if Redis cannot be reached.
    Verify {
        /// Check the Redis servers instead: role, mode, version, eviction policy, rights, notifications,
        /// persistence, clock
        #[arg(long)]
        redis: bool,
    },
    /// Print the whole catalog as TOML: what the catalog file defines, and what was made in Redis
    ///
    /// A backup that can be imported again. Without --with-secrets every secret is `********`, which an
    /// import takes for the secret that there is: such an export restores no lost secret.
    Export {
        /// Include passwords and other secrets; keep the output where only operators can read it
        #[arg(long)]
        with_secrets: bool,
    },
    /// Ask the service that runs under these settings how it is, and exit: a probe for images
    ///
    /// Asks its own machine, on the first address (`server.listen`), over TLS where that is set. Exits
    /// with 0 if the service is ready, with 1 if it is not, and with 69 if it cannot be reached.
    Healthcheck {
        /// Ask only whether the process is up, not whether it is ready
        #[arg(long)]
        live: bool,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definitions_are_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn no_arguments_mean_serving_with_the_defaults() {
        let arguments = Arguments::try_parse_from(["switchboard"]).unwrap();
        assert_eq!(arguments.command, None);
        assert_eq!(arguments.config, None);
    }

    #[test]
    fn the_file_may_stand_before_or_after_the_command() {
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
    fn a_command_nobody_knows_is_refused() {
        for command in ["chekc", "audit"] {
            assert!(Arguments::try_parse_from(["switchboard", command]).is_err());
        }
    }
}
