//! Phone numbers, compared as the subscribers they reach and not as they are written.

use phonenumber::{Mode, country};

use super::ServiceError;

/// Longest phone number taken from a request, in bytes.
const MAX_BYTES: usize = 64;

/// Knows which country a number without one is in.
#[derive(Debug, Clone, Copy)]
pub struct Numbering {
    region: country::Id,
}

impl Numbering {
    /// Numbers without a country code are of `region`.
    #[must_use]
    pub fn of(region: country::Id) -> Self {
        Self { region }
    }

    /// The subscriber that a number reaches: two ways to write the number give the same. What is no
    /// phone number is told by its digits, and what has none by itself, without control characters.
    #[must_use]
    pub fn subscriber(self, number: &str) -> String {
        if let Ok(parsed) = phonenumber::parse(Some(self.region), number) {
            return parsed.format().mode(Mode::E164).to_string();
        }
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        if digits.is_empty() {
            return number.trim().chars().filter(|c| !c.is_control()).collect();
        }
        digits
    }

    /// The same for the parameter `name` of a request.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`] for one that is too long for a number.
    pub(super) fn requested(self, name: &str, number: &str) -> Result<String, ServiceError> {
        if number.len() > MAX_BYTES {
            return Err(ServiceError::InvalidParameter(format!(
                "{name} has {} bytes; {MAX_BYTES} are allowed",
                number.len()
            )));
        }
        Ok(self.subscriber(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ways_to_write_a_number_are_one_subscriber() {
        let us = Numbering::of(country::US);
        let expected = us.subscriber("6504699999");
        assert_eq!(expected, "+16504699999");
        for number in [
            "+1 650 469-9999",
            "(650) 469-9999",
            "1-650-469-9999",
            "650.469.9999",
        ] {
            assert_eq!(us.subscriber(number), expected, "{number}");
        }
        assert_ne!(us.subscriber("6504699998"), expected);
    }

    #[test]
    fn a_number_without_a_country_is_of_the_default_region() {
        let de = Numbering::of(country::DE);
        assert_eq!(de.subscriber("030 123456"), "+4930123456");
        assert_eq!(de.subscriber("+1 650 469-9999"), "+16504699999");
    }

    #[test]
    fn what_is_no_phone_number_is_compared_by_its_digits() {
        let us = Numbering::of(country::US);
        assert_eq!(us.subscriber("x9y"), us.subscriber("9"));
        assert_eq!(
            us.subscriber("sip:alice\n@example.org"),
            "sip:alice@example.org"
        );
        assert_eq!(us.subscriber(""), "");
    }
}
