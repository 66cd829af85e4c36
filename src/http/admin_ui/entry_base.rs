//! The options that a form was opened with, and the merge of the changes of two editors.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};

use crate::service::{OptionValue, Options, REDACTED};

/// Bytes of a digest; each needs a multiple of 3, and has 4 characters for 3 bytes.
const DIGEST_BYTES: usize = 6;
const DIGEST_CHARS: usize = 8;

/// The options that a form was opened with, as digests of names and values. Empty if they are not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct EntryBase(BTreeMap<String, String>);

/// The changes of the operator, applied to the saved options.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Merge {
    /// The options. Those that both changed have the values of the operator.
    pub(super) options: Options,
    /// The options that both changed, to different values, and the secrets that the operator changed: it is not known
    /// whether someone else changed those too.
    pub(super) unresolved: Vec<String>,
    /// The base of the next merge: the saved options, except for the unresolved ones.
    pub(super) base: EntryBase,
}

impl EntryBase {
    pub(super) fn new(options: &Options) -> Self {
        let digests = options.iter().map(|(name, value)| {
            let value = value_digest(value);
            (text_digest(name), value)
        });
        Self(digests.collect())
    }

    /// Reads the field of a form.
    pub(super) fn parse(field: &str) -> Self {
        let digests = field.split(' ').filter_map(|both| {
            let (name, value) = both.split_at_checked(DIGEST_CHARS)?;
            Some((name.to_owned(), value.to_owned()))
        });
        Self(digests.collect())
    }

    /// The field of a form.
    pub(super) fn to_field(&self) -> String {
        let digests = self
            .0
            .iter()
            .map(|(name, value)| [name.as_str(), value].concat());
        digests.collect::<Vec<_>>().join(" ")
    }

    /// Whether an option has the value that the form was opened with.
    fn has(&self, name: &str, value: Option<&OptionValue>) -> bool {
        self.0.get(&text_digest(name)) == value.map(value_digest).as_ref()
    }

    /// The options that were added or changed since.
    pub(super) fn changed(&self, options: &Options) -> Vec<String> {
        let changed = options
            .iter()
            .filter(|(name, value)| !self.has(name, Some(value)));
        changed.map(|(name, _)| name.clone()).collect()
    }

    /// Merges the options that an operator entered into the saved ones. An option that only one of them changed has the
    /// changed value.
    pub(super) fn merge(&self, own: &Options, saved: &Options) -> Merge {
        let (mut options, mut unresolved) = (Options::new(), Vec::new());
        let mut base = Self::new(saved);
        let names: BTreeSet<&String> = own.keys().chain(saved.keys()).collect();
        for name in names {
            let (mine, theirs) = (own.get(name), saved.get(name));
            let is_changed = |value| self.0.is_empty() || !self.has(name, value);
            let is_own_change = is_changed(mine);
            let is_secret = theirs.and_then(OptionValue::text) == Some(REDACTED);
            let may_be_changed = is_secret || is_changed(theirs);
            let is_conflict = is_own_change && may_be_changed && mine != theirs;
            if is_conflict {
                unresolved.push(name.clone());
                let digest = text_digest(name);
                base.0.remove(&digest);
                if let Some(value) = self.0.get(&digest) {
                    base.0.insert(digest, value.clone());
                }
            }
            let value = if is_own_change { mine } else { theirs };
            if let Some(value) = value {
                options.insert(name.clone(), value.clone());
            }
        }
        if self.0.is_empty() {
            base = Self::default();
        }
        Merge {
            options,
            unresolved,
            base,
        }
    }
}

fn value_digest(value: &OptionValue) -> String {
    match value {
        OptionValue::Text(text) => text_digest(text),
        OptionValue::List(lines) => text_digest(&lines.join("\n")),
    }
}

fn text_digest(text: &str) -> String {
    let digest = digest(&SHA256, text.as_bytes());
    let bytes = digest.as_ref();
    URL_SAFE_NO_PAD.encode(bytes.get(..DIGEST_BYTES).unwrap_or(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(pairs: &[(&str, &str)]) -> Options {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), OptionValue::Text((*value).to_owned())))
            .collect()
    }

    #[test]
    fn changes_of_one_editor_are_merged() {
        let base = EntryBase::new(&options(&[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")]));
        let base = EntryBase::parse(&base.to_field());
        let own = options(&[("a", "2"), ("b", "1"), ("c", "1"), ("e", "1")]);
        let saved = options(&[("a", "1"), ("b", "2"), ("d", "1"), ("f", "1")]);
        let merge = base.merge(&own, &saved);
        let expected = options(&[("a", "2"), ("b", "2"), ("e", "1"), ("f", "1")]);
        assert_eq!(merge.options, expected);
        assert_eq!(merge.unresolved, [""; 0]);
        assert_eq!(merge.base, EntryBase::new(&saved));
        assert_eq!(base.changed(&saved), ["b", "f"]);
    }

    #[test]
    fn changes_of_both_stay_unresolved() {
        let base = EntryBase::new(&options(&[("a", "1"), ("b", "1"), ("c", "1")]));
        let own = options(&[("a", "2"), ("c", "2")]);
        let saved = options(&[("a", "3"), ("b", "2"), ("c", "2")]);
        let merge = base.merge(&own, &saved);
        assert_eq!(merge.options, own);
        assert_eq!(merge.unresolved, ["a", "b"]);
        assert_eq!(merge.base.merge(&merge.options, &saved), merge);
        // The same without a known base, as of a form that has none.
        let merge = EntryBase::parse("").merge(&own, &saved);
        assert_eq!(merge.options, own);
        assert_eq!(merge.unresolved, ["a", "b"]);
        assert_eq!(merge.base, EntryBase::default());
    }

    #[test]
    fn a_changed_secret_stays_unresolved() {
        let base = EntryBase::new(&options(&[("a", "1"), ("password", REDACTED)]));
        let own = options(&[("a", "1"), ("password", "new")]);
        let saved = options(&[("a", "2"), ("password", REDACTED)]);
        let merge = base.merge(&own, &saved);
        assert_eq!(merge.options, options(&[("a", "2"), ("password", "new")]));
        assert_eq!(merge.unresolved, ["password"]);
        assert_eq!(
            merge.base.merge(&merge.options, &saved).unresolved,
            ["password"]
        );
        // A secret that the operator did not change is that of the saved entry.
        let unchanged = base.merge(&base_options(), &saved);
        assert_eq!((unchanged.options, unchanged.unresolved), (saved, vec![]));
    }

    fn base_options() -> Options {
        options(&[("a", "1"), ("password", REDACTED)])
    }
}
