//! Tests of the parameters of header values.

use super::{super::charset::Charset, HeaderValue};

fn form_text(value: &str) -> String {
    let header = HeaderValue::parse_form_data(value.as_bytes()).unwrap();
    let text = header.form_text("filename").unwrap().unwrap();
    text.decode(Charset::UTF_8).unwrap()
}

#[test]
fn backslashes_are_literal_unless_quotes_are_escaped() {
    for (sent, expected) in [
        (r#""c\d""#, r"c\d"),
        (r#""C:\tmp\x""#, r"C:\tmp\x"),
        (r#""C:\tmp\""#, r"C:\tmp\"),
        (r#""C:\tmp\"; x="y""#, r"C:\tmp\"),
        (r#""\"; name=";""#, r"\"),
        (r#""a\"; name=";x=""#, r"a\"),
        (r#""\"; name="\""#, r"\"),
        (r#""\\server\share""#, r"\\server\share"),
        (r#""\\server\share\""#, r"\\server\share\"),
        (r#""a\"b""#, r#"a"b"#),
        (r#""a\"b\\c""#, r#"a"b\c"#),
        (r#""say \"hi\"""#, r#"say "hi""#),
        (r#""x\";y""#, r#"x";y"#),
        (r#""a%22b%0D%0Ac""#, "a\"b\r\nc"),
        (r#""100%; a=b""#, "100%; a=b"),
        (r#""%5C%2f%""#, "%5C%2f%"),
        (r"a\b", r"a\b"),
        (r#""""#, ""),
        ("", ""),
    ] {
        let value = format!("form-data; filename={sent}");
        assert_eq!(form_text(&value), expected, "{value}");
    }
}

#[test]
fn extended_parameters_are_decoded_in_their_charset() {
    for (sent, expected) in [
        ("UTF-8''%e2%82%ac%20rates", "\u{20ac} rates"),
        ("iso-8859-1'en'%A3%20rates", "\u{a3} rates"),
        ("\"UTF-8''a%22b\"", "a\"b"),
        ("utf-8''", ""),
    ] {
        let value = format!("form-data; filename=\"x\"; filename*={sent}");
        assert_eq!(form_text(&value), expected, "{value}");
    }
}

#[test]
fn malformed_values_are_rejected() {
    for value in [
        "form-data; filename=\"a",
        "form-data; filename=\"a\"b",
        "form-data; filename=\"a\" filename2=\"b\"",
        "form-data; filename=a; filename=b",
        "form-data; filename*=a.txt",
        "form-data; filename*=klingon''a",
        "form-data; filename*=''a",
        "form-data; filename*0=\"a\"; filename*1=\"b\"",
        "form-data; filename*0*=UTF-8''a",
    ] {
        let text = HeaderValue::parse_form_data(value.as_bytes())
            .and_then(|header| header.form_text("filename"));
        assert!(text.is_err(), "{value}: {text:?}");
    }
}

#[test]
fn parameter_format_variants_are_accepted() {
    for value in [
        "multipart/form-data ; boundary=----=_Part_0",
        "multipart/form-data;BOUNDARY=\"----=_Part_0\" ; x",
        "multipart/form-data; a=\";boundary=no\"; boundary = ----=_Part_0 ;",
        "multipart/form-data; boundary=\"----=\\_Part_0\"",
    ] {
        let header = HeaderValue::parse(value.as_bytes()).unwrap();
        assert_eq!(header.essence, b"multipart/form-data");
        let boundary = header.parameter("boundary").unwrap();
        assert_eq!(boundary.unwrap(), b"----=_Part_0", "{value}");
    }
}
