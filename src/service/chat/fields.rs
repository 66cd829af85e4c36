//! The fields of requests to chats.

use crate::{
    model::chat::{ChatWindow, MAX_POSITION},
    service::{
        FieldValue, FormData, ServiceError,
        parse_value::{parse_boolean, parse_integer_in_range},
    },
};

/// The maximum length of a nickname or subject in characters.
const MAX_NAME_CHARACTERS: usize = 64;

/// The fields of a request of a client to a chat that was started.
pub(super) struct ChatFields {
    /// `transcriptPosition`, or the position of the last refresh.
    pub(super) window: ChatWindow,
    /// Whether there is a `message`.
    pub(super) has_message: bool,
    /// `_verbose`
    pub(super) verbose: bool,
}

impl ChatFields {
    /// # Errors
    /// [`ServiceError::InvalidParameter`]
    pub(super) fn from_form(form: &FormData) -> Result<Self, ServiceError> {
        let has_files = form
            .iter()
            .any(|(_, value)| matches!(value, FieldValue::Binary(_)));
        if has_files {
            let message = "requests to a chat accept no files, except its start; write them to the storage of the \
                           service";
            return Err(ServiceError::InvalidParameter(message.to_owned()));
        }
        Ok(Self {
            window: transcript_position(form)?.map_or(ChatWindow::AfterRefresh, ChatWindow::After),
            has_message: chat_message(form).is_some(),
            verbose: is_verbose(form)?,
        })
    }
}

/// The value of `message`, unless it is empty.
pub(super) fn chat_message(form: &FormData) -> Option<&str> {
    filled(form, "message")
}

/// The value of `_verbose`.
pub(super) fn is_verbose(form: &FormData) -> Result<bool, ServiceError> {
    let value = filled(form, "_verbose");
    value.map_or(Ok(false), |value| parse_boolean("_verbose", value))
}

/// The field `transcriptPosition`: the position of the last event that a party has, unless it is empty.
///
/// # Errors
/// [`ServiceError::InvalidParameter`]
pub fn transcript_position(form: &FormData) -> Result<Option<u64>, ServiceError> {
    let name = "transcriptPosition";
    let position = form.text(name).filter(|text| !text.trim().is_empty());
    position
        .map(|position| parse_position(name, position))
        .transpose()
}

/// Parses the position of an event in the field or header `name`.
///
/// # Errors
/// [`ServiceError::InvalidParameter`]
pub fn parse_position(name: &str, value: &str) -> Result<u64, ServiceError> {
    parse_integer_in_range(name, value, 0, MAX_POSITION)
}

/// The text of a field, unless it is empty.
pub(super) fn filled<'a>(form: &'a FormData, name: &str) -> Option<&'a str> {
    form.text(name).filter(|text| !text.is_empty())
}

/// A nickname or subject without control characters and surrounding spaces, cut to a limit.
pub(super) fn clean_name(text: &str) -> String {
    let spaced = text.chars().map(|character| {
        if character.is_control() {
            ' '
        } else {
            character
        }
    });
    let text: String = spaced.collect();
    let text: String = text.trim().chars().take(MAX_NAME_CHARACTERS).collect();
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(fields: &[(&str, &str)]) -> FormData {
        let mut form = FormData::default();
        for (name, value) in fields {
            form.insert((*name).to_owned(), FieldValue::Text((*value).to_owned()));
        }
        form
    }

    #[test]
    fn an_absent_or_empty_position_is_that_of_the_last_refresh() {
        for fields in [
            &[][..],
            &[("transcriptPosition", "")],
            &[("transcriptPosition", " ")],
        ] {
            let fields = ChatFields::from_form(&form(fields)).unwrap();
            assert_eq!(fields.window, ChatWindow::AfterRefresh);
        }
        let fields = ChatFields::from_form(&form(&[("transcriptPosition", "7")])).unwrap();
        assert_eq!(fields.window, ChatWindow::After(7));
    }

    #[test]
    fn an_invalid_position_or_flag_is_rejected_with_its_value() {
        for (name, value) in [
            ("transcriptPosition", "-1"),
            ("transcriptPosition", "x"),
            ("transcriptPosition", "9007199254740993"),
            ("_verbose", "yes"),
        ] {
            let result = ChatFields::from_form(&form(&[(name, value)]));
            let message = result.err().unwrap().to_string();
            assert!(
                message.contains(name) && message.contains(value),
                "{message}"
            );
        }
    }

    #[test]
    fn names_have_no_control_characters_and_a_limit() {
        assert_eq!(clean_name("  Ann\tB\n "), "Ann B");
        assert_eq!(clean_name(&"\u{e9}".repeat(70)), "\u{e9}".repeat(64));
        assert_eq!(clean_name("\u{0}\u{1b}"), "");
    }
}
