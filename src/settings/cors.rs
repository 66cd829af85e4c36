//! `[cors]`: cross-origin requests.

use super::{error::SettingsError, load::comma_list, provenance::Layers};

/// `[cors]`
#[derive(Clone, Debug, Default)]
pub struct Cors {
    /// Origins in lower case, as browsers send them. If empty, cross-origin access is disabled.
    pub allowed_origins: Vec<String>,
    /// Whether cross-site creates of browsers are rejected.
    pub block_cross_site_creates: bool,
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

/// Whether `text` has the form of an origin: a scheme, a host and optionally a port.
fn is_origin(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    let is_host_char = |b: u8| b.is_ascii_alphanumeric() || b"-._[]:".contains(&b);
    let is_scheme = scheme
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-');
    !scheme.is_empty() && is_scheme && !rest.is_empty() && rest.bytes().all(is_host_char)
}
