//! Phone numbers, compared as subscribers regardless of their spelling.

mod library;
mod mask;
mod uri;

use rlibphonenumber::{PhoneNumberFormat, Region};

pub use self::library::unload_unused_phone_library;
pub(super) use self::mask::mask_subscriber;
use self::{library::library, uri::Dialed};
use super::ServiceError;

/// The maximum length of a phone number in a request, in bytes.
const MAX_NUMBER_BYTES: usize = 64;
/// The maximum length of a URI or address.
const MAX_URI_BYTES: usize = 256;
/// Numbers that some carriers send for withheld callers: `ANONYMOUS`, `BLOCKED`, `RESTRICTED`, `UNAVAILABLE` and
/// `UNKNOWN` on a keypad. They are not valid numbers in any country.
const WITHHELD_NUMBERS: [&str; 5] = [
    "266696687",
    "2562533",
    "7378742833",
    "86282452253",
    "8656696",
];

/// Parses phone numbers under a default region, for numbers without a country code.
#[derive(Debug, Clone, Copy)]
pub struct PhoneNumbers {
    region: Region,
}

impl PhoneNumbers {
    /// Uses `region` as the default.
    #[must_use]
    pub fn new(region: Region) -> Self {
        Self { region }
    }

    /// The region as a code of two capital letters.
    #[must_use]
    pub fn region(self) -> String {
        self.region.to_string()
    }

    /// Uses the region with this code; `None` if the code is unknown.
    pub(super) fn for_region(region: &str) -> Option<Self> {
        region.parse().ok().map(Self::new)
    }

    /// The subscriber of a number: all spellings of a number have the same one. For phone numbers it is the E.164
    /// form, followed by `;ext=` and the extension if there is one. Anything else is compared as text without control
    /// characters, and can be empty.
    #[must_use]
    pub fn subscriber(self, number: &str) -> String {
        let visible: String = number.chars().filter(|c| !is_invisible(*c)).collect();
        match uri::parse_uri(visible.trim()) {
            Dialed::Number(number) => self
                .e164(&number)
                .unwrap_or_else(|| normalize_text(&number)),
            Dialed::Address(address) => address,
            Dialed::Withheld => String::new(),
        }
    }

    /// The subscriber of a caller; `None` if nothing can be compared: the number is withheld, or it has no digit and
    /// is not a SIP address.
    #[must_use]
    pub fn caller(self, number: &str) -> Option<String> {
        let subscriber = self.subscriber(number);
        let is_comparable =
            subscriber.contains('@') || subscriber.bytes().any(|b| b.is_ascii_digit());
        let digits = number.trim().trim_start_matches('+');
        (is_comparable && !WITHHELD_NUMBERS.contains(&digits)).then_some(subscriber)
    }

    fn e164(self, number: &str) -> Option<String> {
        let library = library()?;
        let parsed = library.parse(number, Some(self.region)).ok()?;
        let formatted = library.format(&parsed, PhoneNumberFormat::E164);
        let mut subscriber = formatted.into_owned();
        if let Some(extension) = parsed.extension.filter(|digits| !digits.is_empty()) {
            subscriber.push_str(";ext=");
            subscriber.push_str(&extension);
        }
        Some(subscriber)
    }

    /// The subscriber of the parameter `name` of a request.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`] if it is too long.
    pub(super) fn subscriber_from_parameter(
        self,
        name: &str,
        number: &str,
    ) -> Result<String, ServiceError> {
        check_length(name, number)?;
        Ok(self.subscriber(number))
    }

    /// The caller in the parameter `name` of a request; `None` if nothing can be compared.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`] if it is too long.
    pub(super) fn caller_from_parameter(
        self,
        name: &str,
        number: &str,
    ) -> Result<Option<String>, ServiceError> {
        check_length(name, number)?;
        Ok(self.caller(number))
    }
}

fn check_length(name: &str, number: &str) -> Result<(), ServiceError> {
    let is_uri = number.contains([':', '@']);
    let max = if is_uri {
        MAX_URI_BYTES
    } else {
        MAX_NUMBER_BYTES
    };
    if number.len() <= max {
        return Ok(());
    }
    Err(ServiceError::InvalidParameter(format!(
        "{name} has {} bytes; the maximum is {max}",
        number.len()
    )))
}

/// Control characters, and the marks of direction and joining that are often copied along with a number.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Normalizes text that is not a phone number: a service code such as `*6` without separators, any other text
/// unchanged.
fn normalize_text(text: &str) -> String {
    let text = text.strip_prefix("tel:").unwrap_or(text);
    if text.chars().any(char::is_alphabetic) || text.contains('@') {
        return text.to_owned();
    }
    let normalized = text.chars().filter_map(|c| match c {
        '+' | '＋' => Some('+'),
        '*' | '#' | ',' | ';' => Some(c),
        c if c.is_numeric() => to_ascii_digit(c),
        _ => None,
    });
    let normalized: String = normalized.collect();
    let has_digit = normalized.bytes().any(|byte| byte.is_ascii_digit());
    if has_digit { normalized } else { String::new() }
}

/// Replaces digits of other scripts by ASCII digits.
pub(super) fn to_ascii_digits(text: &str) -> String {
    let convert = |c: char| {
        let other = (!c.is_ascii() && c.is_numeric()).then(|| to_ascii_digit(c));
        other.flatten().unwrap_or(c)
    };
    text.chars().map(convert).collect()
}

fn to_ascii_digit(c: char) -> Option<char> {
    let mut buffer = [0; 4];
    let text = c.encode_utf8(&mut buffer);
    library()?.normalize_digits_only(text).chars().next()
}

#[cfg(test)]
mod tests;
