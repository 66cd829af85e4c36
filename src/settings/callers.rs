//! Who may call, from where, and how often: `[auth]`, `[cors]`, `[rate_limit]`, `[tls]`, and what of
//! `[server]` is about callers.

use std::{
    fs,
    io::Read,
    net::IpAddr,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use ipnet::IpNet;
use secrecy::SecretString;

use super::{
    error::SettingsError,
    load::{not_empty, seconds},
    provenance::Layers,
};

/// A PEM file is some kilobytes; more is another file.
const MAX_PEM_BYTES: u64 = 1024 * 1024;

/// What `admin.username` is where any user name will do.
const ANY_USER: &str = "*";
/// What `server.public` is where nothing is public.
const NO_GROUPS: &str = "none";

/// A user name and a password, each set or not.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// Never with a colon, which Basic authentication cannot carry.
    pub username: Option<String>,
    /// Never printed.
    pub password: Option<SecretString>,
}

/// `[auth]`
#[derive(Clone, Debug, Default)]
pub struct Auth {
    /// What counts for configured services that do not say otherwise.
    pub credentials: Credentials,
    /// Where there are any, a request must bring one of them.
    pub api_keys: Vec<SecretString>,
}

/// `[admin]`
#[derive(Clone, Debug, Default)]
pub struct Admin {
    /// Without a password nobody may do anything.
    pub credentials: Credentials,
    /// Events that the history keeps, about.
    pub audit_log_entries: usize,
    /// How long somebody who is signed in may do nothing.
    pub session_idle_timeout: Duration,
    /// How long anybody stays signed in.
    pub session_max_age: Duration,
}

/// `[cors]`
#[derive(Clone, Debug, Default)]
pub struct Cors {
    /// Origins in small letters, as browsers send them; none: no cross-origin access.
    pub allowed_origins: Vec<String>,
    /// Whether other sites' pages may not make browsers create services.
    pub block_cross_site_creates: bool,
}

/// `[rate_limit]`; a limit of 0 is none.
#[derive(Clone, Debug, Default)]
pub struct RateLimit {
    /// How long something counts; never zero.
    pub window: Duration,
    /// Creates from one client address.
    pub creates_per_address: u64,
    /// Creates of one configured service.
    pub creates_per_service: u64,
    /// Wrong credentials from one client address.
    pub failed_credentials_per_address: u64,
    /// Calls to one number for which nothing was found.
    pub failed_matches_per_number: u64,
}

/// `[tls]`: two files in PEM, and what is offered over TLS.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Whether clients are offered HTTP/2.
    pub http2: bool,
    /// The certificate and those that lead to a known authority.
    pub certificate_file: PathBuf,
    /// Its private key.
    pub key_file: PathBuf,
}

/// What the files of [`Tls`] held when they were read.
#[derive(Debug)]
pub struct TlsFiles {
    /// The certificates, in PEM.
    pub certificates: Vec<u8>,
    /// The private key, in PEM.
    pub key: Vec<u8>,
}

/// Tells one state of the files of [`Tls`] from the next: when each was changed, and its size.
pub type TlsFilesVersion = [Option<(SystemTime, u64)>; 2];

/// Which groups of routes a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteGroups {
    /// Services, their storage, their requests.
    pub client: bool,
    /// Creates of `match-interaction`, whatever name it is configured under.
    pub matching: bool,
    /// `/genesys/1/admin/...` and the like.
    pub admin: bool,
}

impl RouteGroups {
    /// Everything.
    pub const ALL: Self = Self {
        client: true,
        matching: true,
        admin: true,
    };
}

impl Tls {
    /// What is in the files now.
    ///
    /// # Errors
    /// [`SettingsError::TlsFile`] where one cannot be read.
    pub fn read_files(&self) -> Result<TlsFiles, SettingsError> {
        Ok(TlsFiles {
            certificates: pem("tls.certificate_file", &self.certificate_file)?,
            key: pem("tls.key_file", &self.key_file)?,
        })
    }

    /// What differs once a file is another one.
    #[must_use]
    pub fn files_version(&self) -> TlsFilesVersion {
        [&self.certificate_file, &self.key_file].map(|path| {
            let file = fs::metadata(path).ok()?;
            Some((file.modified().ok()?, file.len()))
        })
    }
}

fn pem(setting: &'static str, path: &Path) -> Result<Vec<u8>, SettingsError> {
    let fail = |reason| SettingsError::TlsFile {
        setting,
        path: path.to_owned(),
        reason,
    };
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(fail)?;
    file.take(MAX_PEM_BYTES)
        .read_to_end(&mut bytes)
        .map_err(fail)?;
    Ok(bytes)
}

fn credentials(
    from: &Layers,
    username: &str,
    password: &str,
) -> Result<Credentials, SettingsError> {
    let name = not_empty(from.text(username)?);
    if name.as_ref().is_some_and(|name| name.contains(':')) {
        return Err(from.invalid(username, "expected a user name without a colon"));
    }
    Ok(Credentials {
        username: name,
        password: from.secret(password)?,
    })
}

pub(super) fn admin(from: &Layers) -> Result<Admin, SettingsError> {
    let mut credentials = credentials(from, "admin.username", "admin.password")?;
    // In the environment an empty name is none at all.
    credentials.username.take_if(|name| name == ANY_USER);
    Ok(Admin {
        credentials,
        audit_log_entries: from.number("admin.audit_log_entries", 100..=1_000_000)?,
        session_idle_timeout: seconds(from, "admin.session_idle_seconds", 60..=86_400)?,
        session_max_age: seconds(from, "admin.session_max_seconds", 300..=604_800)?,
    })
}

pub(super) fn auth(from: &Layers) -> Result<Auth, SettingsError> {
    let credentials = credentials(from, "auth.username", "auth.password")?;
    let setting = "auth.api_keys";
    let keys = comma_list(from, setting)?;
    let right = |key: &String| key.len() <= 256 && key.bytes().all(|b| b.is_ascii_graphic());
    if !keys.iter().all(right) {
        let expected =
            "expected keys of 1 to 256 visible ASCII characters, with commas between them";
        return Err(from.invalid(setting, expected));
    }
    Ok(Auth {
        credentials,
        api_keys: keys.into_iter().map(SecretString::from).collect(),
    })
}

pub(super) fn cors(from: &Layers) -> Result<Cors, SettingsError> {
    let setting = "cors.allowed_origins";
    let mut origins = comma_list(from, setting)?;
    for origin in &mut origins {
        origin.make_ascii_lowercase();
        if !is_origin(origin) {
            let expected = "expected origins as browsers send them, such as https://shop.example or \
                            http://localhost:3000, with commas between them";
            return Err(from.invalid(setting, expected));
        }
    }
    Ok(Cors {
        allowed_origins: origins,
        block_cross_site_creates: from.boolean("cors.block_cross_site_creates")?,
    })
}

/// Whether a browser may call a page's origin so: a scheme, a host, and perhaps a port.
fn is_origin(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    let letter = |b: u8| b.is_ascii_alphanumeric() || b"-._[]:".contains(&b);
    let named = scheme
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-');
    !scheme.is_empty() && named && !rest.is_empty() && rest.bytes().all(letter)
}

pub(super) fn rate_limit(from: &Layers) -> Result<RateLimit, SettingsError> {
    let limit = |setting| from.number(setting, 0..=1_000_000_000);
    Ok(RateLimit {
        window: seconds(from, "rate_limit.window_seconds", 1..=86_400)?,
        creates_per_address: limit("rate_limit.creates_per_address")?,
        creates_per_service: limit("rate_limit.creates_per_service")?,
        failed_credentials_per_address: limit("rate_limit.failed_credentials_per_address")?,
        failed_matches_per_number: limit("rate_limit.failed_matches_per_number")?,
    })
}

pub(super) fn tls(from: &Layers) -> Result<Option<Tls>, SettingsError> {
    let path = |setting| Ok(not_empty(from.text(setting)?).map(PathBuf::from));
    let (certificate, key) = ("tls.certificate_file", "tls.key_file");
    match (path(certificate)?, path(key)?) {
        (None, None) => Ok(None),
        (Some(certificate_file), Some(key_file)) => Ok(Some(Tls {
            http2: from.boolean("tls.http2")?,
            certificate_file,
            key_file,
        })),
        (Some(_), None) => {
            Err(from.invalid(key, "expected a file, for tls.certificate_file is set"))
        }
        (None, Some(_)) => {
            Err(from.invalid(certificate, "expected a file, for tls.key_file is set"))
        }
    }
}

pub(super) fn route_groups(from: &Layers) -> Result<RouteGroups, SettingsError> {
    let setting = "server.public";
    let mut groups = RouteGroups {
        client: false,
        matching: false,
        admin: false,
    };
    let names = comma_list(from, setting)?;
    for name in names.iter().filter(|_| names != [NO_GROUPS]) {
        match name.as_str() {
            "client" => groups.client = true,
            "match" => groups.matching = true,
            "admin" => groups.admin = true,
            _ => {
                let expected =
                    "expected some of client, match and admin, with commas between them, or none";
                return Err(from.invalid(setting, expected));
            }
        }
    }
    Ok(groups)
}

pub(super) fn trusted_proxies(from: &Layers) -> Result<Vec<IpNet>, SettingsError> {
    let setting = "server.trusted_proxies";
    let read = |text: String| -> Option<IpNet> {
        let address = text.parse::<IpAddr>().map(IpNet::from);
        address.or_else(|_no_address| text.parse()).ok()
    };
    let proxies: Option<Vec<IpNet>> = comma_list(from, setting)?.into_iter().map(read).collect();
    proxies.ok_or_else(|| {
        let expected = "expected addresses or networks, such as 10.0.0.7 or 10.0.0.0/8, with commas \
                        between them";
        from.invalid(setting, expected)
    })
}

/// What stands between the commas of a setting.
fn comma_list(from: &Layers, setting: &str) -> Result<Vec<String>, SettingsError> {
    let text = from.text(setting)?;
    let entries = text.split(',').map(str::trim);
    let entries = entries.filter(|entry| !entry.is_empty());
    Ok(entries.map(str::to_owned).collect())
}
