//! The fields of a request, before they are split into parameters and user data.

use std::collections::BTreeMap;

use super::{ServiceError, binary_path::binary_path, parameters::Parameters};
use crate::model::{Binary, Changes, KeyName, MAX_KEY_NAME_BYTES, ServiceId, Value};

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldValue {
    /// A string.
    Text(String),
    /// An uploaded file.
    Binary(Binary),
    /// `null` in JSON: the key is removed.
    Null,
}

/// The fields of a request, from query and body. Names are unique: the last value is used.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FormData(BTreeMap<String, FieldValue>);

impl FormData {
    /// Adds or replaces a field.
    pub fn insert(&mut self, name: String, value: FieldValue) {
        self.0.insert(name, value);
    }

    /// All fields, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &FieldValue)> {
        self.0.iter()
    }

    /// The number of fields.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no fields.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The string of this name.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name) {
            Some(FieldValue::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// All strings.
    pub(super) fn text_fields(&self) -> Vec<(String, String)> {
        let texts = self.0.iter().filter_map(|(name, value)| match value {
            FieldValue::Text(text) => Some((name.clone(), text.clone())),
            FieldValue::Binary(_) | FieldValue::Null => None,
        });
        texts.collect()
    }

    /// The fields that are sent to a backend: strings unchanged, and for each file the path to read it. The files are
    /// written to the storage of the service `id`. Files with the name of a parameter are dropped.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`] for an invalid name of a file.
    pub(super) fn into_backend_fields(
        self,
        id: &ServiceId,
    ) -> Result<(Vec<(String, String)>, Changes), ServiceError> {
        let (mut fields, mut files) = (Vec::with_capacity(self.0.len()), Changes::default());
        for (name, value) in self.0 {
            match value {
                FieldValue::Text(text) => fields.push((name, text)),
                FieldValue::Binary(binary) if !name.starts_with('_') => {
                    let key = parse_key_name(name)?;
                    fields.push((key.as_str().to_owned(), binary_path(id, &key)));
                    files.set.push((key, Value::Binary(binary)));
                }
                FieldValue::Binary(_) | FieldValue::Null => {}
            }
        }
        Ok((fields, files))
    }

    /// Splits the fields into parameters (names that begin with `_`) and changes of the storage. Files with the name
    /// of a parameter are dropped.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`] for an invalid name.
    pub(super) fn into_parameters_and_changes(self) -> Result<(Parameters, Changes), ServiceError> {
        let mut parameters = Parameters::default();
        let mut changes = Changes::default();
        for (name, value) in self.0 {
            if name.starts_with('_') {
                if let FieldValue::Text(text) = value {
                    parameters.insert(name, text);
                }
                continue;
            }
            let name = parse_key_name(name)?;
            match value {
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
            "a key name must have 1 to {MAX_KEY_NAME_BYTES} bytes; received one of {bytes} bytes"
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
        let mut form = FormData::default();
        form.insert("_ttl".to_owned(), text("5"));
        form.insert("city".to_owned(), text("Rome"));
        form.insert("gone".to_owned(), FieldValue::Null);
        let (parameters, changes) = form.into_parameters_and_changes().unwrap();
        assert_eq!(parameters.get("_ttl"), Some("5"));
        assert_eq!(changes.set.len(), 1);
        assert_eq!(changes.remove.len(), 1);
    }

    #[test]
    fn an_invalid_name_is_rejected_with_its_length() {
        for (name, bytes) in [(String::new(), 0), ("é".repeat(129), 258)] {
            let mut form = FormData::default();
            form.insert(name, text("x"));
            let message = form.into_parameters_and_changes().unwrap_err().to_string();
            assert!(message.contains(&format!("{bytes} bytes")), "{message}");
        }
    }

    #[test]
    fn the_last_value_of_a_name_wins() {
        let mut form = FormData::default();
        form.insert("a".to_owned(), text("1"));
        form.insert("a".to_owned(), text("2"));
        assert_eq!((form.len(), form.text("a")), (1, Some("2")));
    }
}
