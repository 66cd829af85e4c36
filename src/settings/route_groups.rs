//! The settings of `[server]` about clients: the public route groups and trusted proxies.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{error::SettingsError, load::comma_list, provenance::Layers};

/// The value of `server.public` for no public route group.
const NO_GROUPS: &str = "none";

/// The groups of routes that a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteGroups {
    /// Services, their storage, their requests.
    pub client: bool,
    /// Creates of `match-interaction`, under every configured name.
    pub matching: bool,
    /// `/genesys/1/admin/...`, metrics, status.
    pub admin: bool,
}

impl RouteGroups {
    /// All groups.
    pub const ALL: Self = Self {
        client: true,
        matching: true,
        admin: true,
    };
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
    let parse = |text: String| -> Option<IpNet> {
        let address = text.parse::<IpAddr>().map(IpNet::from);
        address.or_else(|_not_an_address| text.parse()).ok()
    };
    let proxies: Option<Vec<IpNet>> = comma_list(from, setting)?.into_iter().map(parse).collect();
    proxies.ok_or_else(|| {
        let expected = "expected addresses or networks, such as 10.0.0.7 or 10.0.0.0/8, with commas \
                        between them";
        from.invalid(setting, expected)
    })
}
