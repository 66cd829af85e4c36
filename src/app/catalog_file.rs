//! The catalog file of the settings.

use std::sync::Arc;

use super::error::StartError;
use crate::{
    model::Table,
    service::{Catalog, CatalogContext, CatalogFile, Options, PhoneNumbers, WebhookRules},
    settings::{Settings, SettingsError},
};

/// Reads the catalog of `settings`.
///
/// # Errors
/// [`StartError::Settings`] if the file cannot be read, [`StartError::Catalog`] if its content is invalid.
pub fn catalog(settings: &Settings) -> Result<Catalog, StartError> {
    Ok(read_catalog(settings, &catalog_context(settings))?.1)
}

/// The catalog file, as parsed TOML and as a catalog.
pub(super) fn read_catalog(
    settings: &Settings,
    context: &CatalogContext,
) -> Result<(CatalogFile, Catalog), StartError> {
    let (origin, text) = settings.catalog.text()?;
    let file = CatalogFile::parse(&origin, &text)?;
    check_default_user(settings, &file)?;
    let catalog = Catalog::from_file(&origin, &file, context)?;
    Ok((file, catalog))
}

/// If the default user name has no password, each service must have one of its own. The catalog checks
/// this too, but its error names the service instead of the setting.
fn check_default_user(settings: &Settings, file: &CatalogFile) -> Result<(), SettingsError> {
    if settings.auth.username.is_none() || settings.auth.password.is_some() {
        return Ok(());
    }
    let has = |options: &Options, name| {
        let text = options.get(name).and_then(|value| value.text());
        text.is_some_and(|text| !text.is_empty())
    };
    let mut services = file.table(Table::Services).iter();
    let unprotected =
        services.find(|(_, options)| !has(options, "username") && !has(options, "password"));
    unprotected.map_or(Ok(()), |(service, _)| {
        Err(SettingsError::UsernameWithoutPassword {
            service: service.clone(),
        })
    })
}

/// What the catalog depends on besides its text.
pub(super) fn catalog_context(settings: &Settings) -> CatalogContext {
    let environment = settings.clone();
    CatalogContext {
        max_ttl_seconds: settings.limits.max_ttl.as_secs(),
        phone_numbers: PhoneNumbers::new(settings.phone.default_region),
        default_credentials: settings.auth.credentials(),
        variables: Arc::new(move |name| environment.variable(name).map(str::to_owned)),
        webhooks: WebhookRules {
            allow_http: settings.webhooks.allow_http,
        },
    }
}
