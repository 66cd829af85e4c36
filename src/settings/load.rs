//! Conversion of layers to typed settings. A test compares the ranges here with those in
//! `config/default.toml`.

use std::{fs, net::Ipv6Addr, num::NonZero, ops::RangeInclusive, thread, time::Duration};

use rlibphonenumber::{PHONE_NUMBER_UTIL, Region};

use super::{
    Api, Backend, Catalog, Limits, Memory, Phone, Redis, Server, Settings, auth, cors,
    environment::Environment, error::SettingsError, log, provenance::Layers, rate_limit,
    route_groups, tls,
};

const MIB: usize = 1024 * 1024;
const MAX_WORKERS: usize = 256;
/// Maximum size of a Redis string.
const MAX_VALUE_BYTES: i64 = 512 * 1024 * 1024;
const MAX_BODY_BYTES: i64 = 4 * 1024 * 1024 * 1024;
const TIMEOUT_SECONDS: RangeInclusive<i64> = 1..=3600;
const TIMEOUT_MS: RangeInclusive<i64> = 1..=60_000;

impl Settings {
    pub(super) fn from_layers(from: &Layers) -> Result<Self, SettingsError> {
        Ok(Self {
            server: Server {
                listen: listen(from, "server.listen")?,
                public: route_groups::route_groups(from)?,
                private_listen: private_listen(from)?,
                trusted_proxies: route_groups::trusted_proxies(from)?,
                workers: workers(from)?,
                request_header_timeout: seconds(
                    from,
                    "server.request_header_timeout_seconds",
                    TIMEOUT_SECONDS,
                )?,
                body_idle_timeout: seconds(
                    from,
                    "server.body_idle_timeout_seconds",
                    TIMEOUT_SECONDS,
                )?,
                keep_alive: seconds(from, "server.keep_alive_seconds", 0..=3600)?,
                connections_per_worker: from
                    .number("server.connections_per_worker", 1..=1_000_000)?,
                drain: seconds(from, "server.drain_seconds", 0..=3600)?,
                shutdown: seconds(from, "server.shutdown_timeout_seconds", 0..=3600)?,
            },
            tls: tls::tls(from)?,
            auth: auth::auth(from)?,
            admin: auth::admin(from)?,
            cors: cors::cors(from)?,
            rate_limit: rate_limit::rate_limit(from)?,
            api: Api {
                unreadable_json_status: unreadable_json_status(from)?,
            },
            redis: Redis::from_layers(from)?,
            memory: Memory {
                limit_bytes: from
                    .number::<usize>("memory.limit_mib", 1..=1024 * 1024)?
                    .saturating_mul(MIB),
            },
            backend: Backend {
                connect_timeout: millis(from, "backend.connect_timeout_ms")?,
                response_timeout: millis(from, "backend.response_timeout_ms")?,
                max_attempts: from.number("backend.max_attempts", 1..=16)?,
                connections: from.number("backend.connections", 1..=65_536)?,
                max_response_bytes: from
                    .number("backend.max_response_bytes", 1..=MAX_VALUE_BYTES)?,
                circuit_breaker_failures: from
                    .number("backend.circuit_breaker_failures", 1..=1_000_000)?,
                circuit_reset_timeout: seconds(
                    from,
                    "backend.circuit_breaker_reset_seconds",
                    TIMEOUT_SECONDS,
                )?,
                ca_certificates: ca_certificates(from)?,
            },
            catalog: Catalog {
                file: not_empty(from.text("catalog.file")?).map(Into::into),
                poll_interval: seconds(from, "catalog.poll_seconds", TIMEOUT_SECONDS)?,
            },
            phone: Phone {
                default_region: region(from)?,
            },
            limits: limits(from)?,
            log: log::log(from)?,
            metrics: log::metrics(from)?,
            traces: None,
            ignored_variables: Vec::new(),
            environment: Environment::default(),
        })
    }
}

/// Range of the memory budgets: 1 MiB to 1 TiB.
const MEMORY_BUDGET_BYTES: RangeInclusive<i64> = 1_048_576..=1_099_511_627_776;

fn limits(from: &Layers) -> Result<Limits, SettingsError> {
    Ok(Limits {
        string_bytes: from.number("limits.string_bytes", 1..=MAX_VALUE_BYTES)?,
        binary_bytes: from.number("limits.binary_bytes", 1..=MAX_BODY_BYTES)?,
        body_bytes: from.number("limits.body_bytes", 1..=MAX_BODY_BYTES)?,
        form_bytes: from.number("limits.form_bytes", 1..=MAX_VALUE_BYTES)?,
        // serde_json supports at most 128.
        json_depth: from.number("limits.json_depth", 1..=128)?,
        fields: from.number("limits.fields", 1..=1900)?,
        keys: from.number("limits.keys", 1..=1_000_000)?,
        request_memory_bytes: from.number("limits.request_memory_bytes", MEMORY_BUDGET_BYTES)?,
        response_memory_bytes: from.number("limits.response_memory_bytes", MEMORY_BUDGET_BYTES)?,
        max_ttl: seconds(from, "limits.max_ttl_seconds", 1..=315_360_000)?,
    })
}

pub(super) fn seconds(
    from: &Layers,
    setting: &str,
    allowed: RangeInclusive<i64>,
) -> Result<Duration, SettingsError> {
    from.number(setting, allowed).map(Duration::from_secs)
}

pub(super) fn millis(from: &Layers, setting: &str) -> Result<Duration, SettingsError> {
    from.number(setting, TIMEOUT_MS).map(Duration::from_millis)
}

pub(super) fn not_empty(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// The entries of a comma-separated list.
pub(super) fn comma_list(from: &Layers, setting: &str) -> Result<Vec<String>, SettingsError> {
    let text = from.text(setting)?;
    let entries = text.split(',').map(str::trim);
    let entries = entries.filter(|entry| !entry.is_empty());
    Ok(entries.map(str::to_owned).collect())
}

fn private_listen(from: &Layers) -> Result<Option<String>, SettingsError> {
    let setting = "server.private_listen";
    not_empty(from.trimmed_text(setting)?)
        .map(|_| listen(from, setting))
        .transpose()
}

fn listen(from: &Layers, setting: &str) -> Result<String, SettingsError> {
    let listen = from.trimmed_text(setting)?;
    if is_host_and_port(&listen) {
        return Ok(listen);
    }
    let expected = "expected host:port, such as 127.0.0.1:8080, localhost:8080 or [::1]:8080";
    Err(from.invalid(setting, expected))
}

/// Whether `listen` has the form of an address. Whether the host exists shows only when binding.
fn is_host_and_port(listen: &str) -> bool {
    let Some((host, port)) = listen.rsplit_once(':') else {
        return false;
    };
    let is_valid_host = match host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
    {
        Some(bracketed) => bracketed.parse::<Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
        }
    };
    // `u16::from_str` would accept a leading plus.
    is_valid_host && port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

fn workers(from: &Layers) -> Result<usize, SettingsError> {
    let workers = from.number("server.workers", 0..=256)?;
    if workers > 0 {
        return Ok(workers);
    }
    // If the number of CPUs is not available, one worker is correct, only slower.
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    Ok(processors.min(MAX_WORKERS))
}

fn unreadable_json_status(from: &Layers) -> Result<u16, SettingsError> {
    let setting = "api.unreadable_json_status";
    match from.number(setting, 400..=500) {
        Ok(status @ (400 | 500)) => Ok(status),
        _ => Err(from.invalid(setting, "expected 500 or 400")),
    }
}

/// The content of the file, if one is set.
fn ca_certificates(from: &Layers) -> Result<Option<String>, SettingsError> {
    let setting = "backend.ca_file";
    let Some(path) = not_empty(from.text(setting)?) else {
        return Ok(None);
    };
    let text = fs::read_to_string(path).ok();
    let text = text.filter(|text| text.contains("-----BEGIN CERTIFICATE-----"));
    let expected = "expected a file with PEM certificates that can be read";
    text.map(Some)
        .ok_or_else(|| from.invalid(setting, expected))
}

fn region(from: &Layers) -> Result<Region, SettingsError> {
    let setting = "phone.default_region";
    let text = from.trimmed_text(setting)?;
    let is_code = text.bytes().all(|byte| byte.is_ascii_uppercase());
    let region = is_code.then(|| text.parse().ok()).flatten();
    let region = region.filter(|region| {
        let code = PHONE_NUMBER_UTIL.get_country_code_for_region(*region);
        code.is_some()
    });
    let expected = "expected a country's two capital letters (ISO 3166), such as US";
    region.ok_or_else(|| from.invalid(setting, expected))
}
