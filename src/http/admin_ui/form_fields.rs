//! Names of the fields of forms.

/// The field of an option is named by this prefix and the name of the option.
pub(super) const OPTION_PREFIX: &str = "option:";

/// Fields of custom options.
pub(super) const OTHER_FIELDS: [&str; 2] = ["other_name", "other_value"];
/// The fields with numbers to add to a group and to remove from it.
pub(super) const ADDED_NUMBERS_FIELD: &str = "numbers_add";
pub(super) const REMOVED_NUMBERS_FIELD: &str = "numbers_remove";
/// The fields with the secrets of the entry that a new one is a copy of, and with those that the copy omits.
pub(super) const UNCOPIED_SECRET_FIELD: &str = "uncopied_secret";
pub(super) const OMITTED_SECRET_FIELD: &str = "omitted_secret";
/// The field with the options that the form of an entry was opened with.
pub(super) const BASE_FIELD: &str = "base";
/// The fields with the revision of the saved entry that is edited, and with the preset of a new one.
pub(super) const REVISION_FIELD: &str = "revision";
pub(super) const PRESET_FIELD: &str = "preset";
/// The field with the catalog of an import.
pub(super) const CATALOG_FIELD: &str = "catalog";
/// The field with the form token of the session.
pub(super) const TOKEN_FIELD: &str = "form_token";
