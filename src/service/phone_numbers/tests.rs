use super::*;

/// Written by `tests/it/data/phone_pairs.py` from the answers of `phonenumbers` (Python).
const PAIRS: &str = include_str!("../../../tests/it/data/phone_pairs.tsv");

const US: PhoneNumbers = PhoneNumbers { region: Region::US };
const DE: PhoneNumbers = PhoneNumbers { region: Region::DE };

fn assert_same_subscriber(phone_numbers: PhoneNumbers, expected: &str, numbers: &[&str]) {
    for number in numbers {
        assert_eq!(phone_numbers.subscriber(number), expected, "{number}");
    }
}

#[test]
fn pairs_of_numbers_are_compared_as_an_independent_library_does() {
    let mut mismatches = Vec::new();
    for line in PAIRS.lines() {
        let [region, one, two, expected] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let phone_numbers = PhoneNumbers::new(region.parse().unwrap());
        let is_same = phone_numbers.subscriber(one) == phone_numbers.subscriber(two);
        if is_same != (expected == "same") {
            mismatches.push(line);
        }
    }
    assert!(mismatches.is_empty(), "{mismatches:#?}");
    assert!(PAIRS.lines().count() >= 200);
}

#[test]
fn all_spellings_of_a_number_are_one_subscriber() {
    let numbers = [
        "6504699999",
        "+1 650 469-9999",
        "(650) 469-9999",
        "1-650-469-9999",
        "650.469.9999",
        "\u{202a}+1 650\u{200b}469-9999\u{202c}",
        "tel:+1-650-469-9999",
        "TEL:650-469-9999;phone-context=+1",
        "sip:+16504699999@example.org:5060;transport=udp",
        "sips:6504699999@example.org;user=phone",
        "\"Bob\" <sip:%2B16504699999@example.org>;tag=1",
    ];
    assert_same_subscriber(US, "+16504699999", &numbers);
    assert_ne!(US.subscriber("6504699998"), "+16504699999");
}

#[test]
fn a_number_without_a_country_is_of_the_default_region() {
    assert_eq!(DE.subscriber("030 123456"), "+4930123456");
    assert_eq!(DE.subscriber("+1 650 469-9999"), "+16504699999");
}

#[test]
fn a_number_that_names_its_country_keeps_its_digits() {
    assert_ne!(
        US.subscriber("+4915112345678"),
        US.subscriber("+495112345678")
    );
    assert_eq!(US.subscriber("+4915112345678"), "+4915112345678");
    assert_eq!(DE.subscriber("+39 06 698 12345"), "+390669812345");
}

#[test]
fn an_extension_is_part_of_a_subscriber() {
    let numbers = [
        "650 469 9999 x123",
        "+1 650 469 9999 ext. 123",
        "tel:+16504699999;foo=bar;ext=1-23",
        "sip:+16504699999;ext=123@example.org",
    ];
    assert_same_subscriber(US, "+16504699999;ext=123", &numbers);
    assert_ne!(US.subscriber("6504699999x456"), "+16504699999;ext=123");
}

#[test]
fn other_texts_are_compared_literally() {
    assert_ne!(US.subscriber("x9y"), US.subscriber("9"));
    assert_ne!(US.subscriber("sip:bob7@example.org"), US.subscriber("7"));
    assert_same_subscriber(US, "*6", &["*6", " * 6 ", "tel:*6", "*\u{ff16}"]);
    assert_ne!(US.subscriber("*6"), US.subscriber("6"));
    assert_eq!(US.subscriber("+999 12-3"), US.subscriber("+999123"));
    assert_ne!(
        US.subscriber("9002@SIP_Switch"),
        US.subscriber("9002@Other")
    );
    assert_eq!(
        US.subscriber("sip:alice\n@example.org"),
        "sip:alice@example.org"
    );
    assert_same_subscriber(US, "", &["", " ", "\u{1}", "()-", "+", "\u{200b}"]);
}

#[test]
fn no_subscriber_has_a_control_character() {
    for text in [
        "a\nb",
        "+1\n650 469 9999",
        "sip:a%0Ab@c",
        "tel:%0A*67",
        "x\u{85}y",
    ] {
        let subscriber = US.subscriber(text);
        assert!(!subscriber.chars().any(char::is_control), "{subscriber:?}");
    }
}

#[test]
fn a_withheld_caller_is_none() {
    for caller in [
        "",
        "\u{1}",
        "abc",
        "anonymous",
        "Anonymous",
        "tel:anonymous",
        "sip:anonymous@anonymous.invalid",
        "sip:unknown@10.0.0.1",
        "+266696687",
        "266696687",
    ] {
        assert_eq!(US.caller(caller), None, "{caller:?}");
    }
    for caller in ["112", "sip:alice@example.org", "1-800-FLOWERS", "*6"] {
        assert_eq!(US.caller(caller), Some(US.subscriber(caller)), "{caller}");
    }
}
