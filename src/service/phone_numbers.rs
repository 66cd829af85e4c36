//! Phone numbers, compared as the subscribers they reach and not as they are written.

mod uri;

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, Region};

use super::ServiceError;
use uri::Dialed;

/// Longest phone number taken from a request, in bytes.
const MAX_NUMBER_BYTES: usize = 64;
/// The same for a URI or an address.
const MAX_URI_BYTES: usize = 256;
/// What some carriers send for a caller who withholds the number: `ANONYMOUS`, `BLOCKED`, `RESTRICTED`,
/// `UNAVAILABLE` and `UNKNOWN` on a keypad. None of them is a number of any country.
const WITHHELD_NUMBERS: [&str; 5] = [
    "266696687",
    "2562533",
    "7378742833",
    "86282452253",
    "8656696",
];

/// The country of numbers that do not name one.
#[derive(Debug, Clone, Copy)]
pub struct PhoneNumbers {
    region: Region,
}

impl PhoneNumbers {
    /// Numbers without a country code are of `region`.
    #[must_use]
    pub fn new(region: Region) -> Self {
        Self { region }
    }

    /// The region, as two capital letters.
    #[must_use]
    pub fn region(self) -> String {
        self.region.to_string()
    }

    /// The same for numbers of `region`; `None` for what is no region.
    pub(super) fn for_region(region: &str) -> Option<Self> {
        region.parse().ok().map(Self::new)
    }

    /// The subscriber that a number reaches: two spellings of a number give the same. A phone number is
    /// in E.164, with `;ext=` and its extension if it has one. Anything else is compared as text, without
    /// control characters; empty where nothing is left.
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

    /// The subscriber that calls; `None` where nothing is left to compare: the number is withheld, or it
    /// has no digit and is no SIP address.
    #[must_use]
    pub fn caller(self, number: &str) -> Option<String> {
        let subscriber = self.subscriber(number);
        let compares = subscriber.contains('@') || subscriber.bytes().any(|b| b.is_ascii_digit());
        let digits = number.trim().trim_start_matches('+');
        (compares && !WITHHELD_NUMBERS.contains(&digits)).then_some(subscriber)
    }

    fn e164(self, number: &str) -> Option<String> {
        let parsed = PHONE_NUMBER_UTIL.parse(number, Some(self.region)).ok()?;
        let mut subscriber = parsed.format_as(PhoneNumberFormat::E164).into_owned();
        if let Some(extension) = parsed.extension.filter(|digits| !digits.is_empty()) {
            subscriber.push_str(";ext=");
            subscriber.push_str(&extension);
        }
        Some(subscriber)
    }

    /// The subscriber of the parameter `name` of a request.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`] for one that is too long for a number.
    pub(super) fn subscriber_from_parameter(
        self,
        name: &str,
        number: &str,
    ) -> Result<String, ServiceError> {
        check_length(name, number)?;
        Ok(self.subscriber(number))
    }

    /// The caller in the parameter `name` of a request; `None` where nothing is left to compare.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`] for one that is too long for a number.
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
        "{name} has {} bytes; {max} are allowed",
        number.len()
    )))
}

/// Control characters, and the marks of direction and joining that a number copied from a page or an
/// address book brings along.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// What is no phone number, in a form that compares: a service code such as `*6` without separators, any
/// other text as it is.
fn normalize_text(text: &str) -> String {
    let text = text.strip_prefix("tel:").unwrap_or(text);
    if text.chars().any(char::is_alphabetic) || text.contains('@') {
        return text.to_owned();
    }
    let kept = text.chars().filter_map(|c| match c {
        '+' | '＋' => Some('+'),
        '*' | '#' | ',' | ';' => Some(c),
        c if c.is_numeric() => to_ascii_digit(c),
        _ => None,
    });
    let kept: String = kept.collect();
    let has_digit = kept.bytes().any(|byte| byte.is_ascii_digit());
    if has_digit { kept } else { String::new() }
}

/// The same text, with ASCII digits in place of those of other scripts.
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
    PHONE_NUMBER_UTIL.normalize_digits_only(text).chars().next()
}

#[cfg(test)]
mod tests;
