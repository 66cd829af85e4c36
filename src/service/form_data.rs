//! What a request carries: names and values, before it is decided what each is for.

use std::collections::BTreeMap;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{ServiceError, parameters::Parameters};
use crate::store::{Binary, Changes, KeyName, MAX_KEY_NAME_BYTES, ServiceId, Value};

/// The value of a pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldValue {
    /// A string.
    Text(String),
    /// A file that was uploaded.
    Binary(Binary),
    /// JSON's `null`: the name shall hold nothing.
    Null,
}

/// The pairs of a request, from its query and its body. Each name occurs once: the last one wins.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FormData(BTreeMap<String, FieldValue>);

impl FormData {
    /// Puts a pair in, in place of one of that name.
    pub fn insert(&mut self, name: String, entry: FieldValue) {
        self.0.insert(name, entry);
    }

    /// All of them, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &FieldValue)> {
        self.0.iter()
    }

    /// Number of pairs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The string of that name.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name) {
            Some(FieldValue::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The strings among them.
    pub(super) fn text_fields(&self) -> Vec<(String, String)> {
        let texts = self.0.iter().filter_map(|(name, entry)| match entry {
            FieldValue::Text(text) => Some((name.clone(), text.clone())),
            FieldValue::Binary(_) | FieldValue::Null => None,
        });
        texts.collect()
    }

    /// What a backend is sent of them: strings as they are, and for a file the path to read it, which
    /// goes to the storage of the service `id`. A file under a parameter's name is dropped.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`] for a file's name that cannot be stored.
    pub(super) fn into_backend_fields(
        self,
        id: &ServiceId,
    ) -> Result<(Vec<(String, String)>, Changes), ServiceError> {
        let (mut sent, mut files) = (Vec::with_capacity(self.0.len()), Changes::default());
        for (name, entry) in self.0 {
            match entry {
                FieldValue::Text(text) => sent.push((name, text)),
                FieldValue::Binary(binary) if !name.starts_with('_') => {
                    let key = parse_key_name(name)?;
                    let place = utf8_percent_encode(key.as_str(), NON_ALPHANUMERIC);
                    let path = format!("/genesys/1/service/{id}/storage/binary/{place}");
                    sent.push((key.as_str().to_owned(), path));
                    files.set.push((key, Value::Binary(binary)));
                }
                FieldValue::Binary(_) | FieldValue::Null => {}
            }
        }
        Ok((sent, files))
    }

    /// Parts them into what is addressed to the service (names that begin with `_`) and the changes
    /// that the rest means for its storage. A file under a parameter's name is dropped.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`] for a name that cannot be stored.
    pub(super) fn into_parameters_and_changes(self) -> Result<(Parameters, Changes), ServiceError> {
        let mut parameters = Parameters::default();
        let mut changes = Changes::default();
        for (name, entry) in self.0 {
            if name.starts_with('_') {
                if let FieldValue::Text(text) = entry {
                    parameters.insert(name, text);
                }
                continue;
            }
            let name = parse_key_name(name)?;
            match entry {
                FieldValue::Text(text) => changes.set.push((name, Value::Text(text))),
                FieldValue::Binary(binary) => changes.set.push((name, Value::Binary(binary))),
                FieldValue::Null => changes.remove.push(name),
            }
        }
        Ok((parameters, changes))
    }
}

fn parse_key_name(name: String) -> Result<KeyName, ServiceError> {
    let bytes = name.len();
    KeyName::new(name).ok_or_else(|| {
        ServiceError::InvalidParameter(format!(
            "a key's name has 1 to {MAX_KEY_NAME_BYTES} bytes; one of {bytes} bytes was sent"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> FieldValue {
        FieldValue::Text(text.to_owned())
    }

    #[test]
    fn names_that_begin_with_an_underscore_are_never_stored() {
        let mut pairs = FormData::default();
        pairs.insert("_ttl".to_owned(), text("5"));
        pairs.insert("city".to_owned(), text("Rome"));
        pairs.insert("gone".to_owned(), FieldValue::Null);
        let (parameters, changes) = pairs.into_parameters_and_changes().unwrap();
        assert_eq!(parameters.get("_ttl"), Some("5"));
        assert_eq!(changes.set.len(), 1);
        assert_eq!(changes.remove.len(), 1);
    }

    #[test]
    fn a_name_that_cannot_be_stored_is_refused_with_its_length() {
        for (name, bytes) in [(String::new(), 0), ("é".repeat(129), 258)] {
            let mut pairs = FormData::default();
            pairs.insert(name, text("x"));
            let message = pairs.into_parameters_and_changes().unwrap_err().to_string();
            assert!(message.contains(&format!("{bytes} bytes")), "{message}");
        }
    }

    #[test]
    fn the_last_of_a_name_wins() {
        let mut pairs = FormData::default();
        pairs.insert("a".to_owned(), text("1"));
        pairs.insert("a".to_owned(), text("2"));
        assert_eq!((pairs.len(), pairs.text("a")), (1, Some("2")));
    }
}
