//! Converts JSON values to strings: maps and arrays become flat text, as backends of the API expect it.
//!
//! `{"street":"mystreet","no":1.50}` becomes `{street=mystreet, no=1.50}` and `["a",null]` becomes `[a, null]`: `=`
//! between key and value, `, ` between items, no quotes, the original order and the original digits of numbers. If a
//! map repeats a key, the last value is used.

use std::collections::HashMap;

use thiserror::Error;

/// Why a value could not be flattened.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum FlattenError {
    /// The nesting exceeds the maximum depth.
    #[error("nested deeper than {0}")]
    TooDeep(usize),
    /// The text is not valid JSON.
    #[error("not JSON: {reason}")]
    Malformed {
        /// The problem.
        reason: String,
        /// The number of bytes that were read before the error.
        read: usize,
    },
}

/// Converts a JSON value to a string; `None` for `null`. `json` is the text of a value that a parser has accepted.
/// `depth` is the maximum nesting of maps and arrays.
///
/// # Errors
/// [`FlattenError::TooDeep`]; [`FlattenError::Malformed`] if the text is not valid after all.
pub fn flatten(json: &str, depth: usize) -> Result<Option<String>, FlattenError> {
    let mut reader = Reader {
        input: json,
        rest: json,
        depth,
    };
    if json.trim() == "null" {
        return Ok(None);
    }
    let text = reader.value(0)?;
    Ok(Some(text))
}

/// Reads valid JSON in one pass.
struct Reader<'a> {
    input: &'a str,
    rest: &'a str,
    depth: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<String, FlattenError> {
        match self.peek() {
            Some('{') => self.map(depth + 1),
            Some('[') => self.array(depth + 1),
            Some('"') => self.string(),
            _ => self.literal(),
        }
    }

    fn map(&mut self, depth: usize) -> Result<String, FlattenError> {
        let mut items: Vec<(String, String)> = Vec::new();
        let mut positions: HashMap<String, usize> = HashMap::new();
        self.enter(depth)?;
        while self.peek().is_some_and(|next| next != '}') {
            let key = self.string()?;
            self.skip(':');
            let value = self.value(depth)?;
            if let Some(&position) = positions.get(&key) {
                items[position].1 = value;
            } else {
                positions.insert(key.clone(), items.len());
                items.push((key, value));
            }
            self.skip(',');
        }
        self.skip('}');
        let items = items.into_iter().map(|(key, value)| [key, value].join("="));
        let items: Vec<String> = items.collect();
        Ok(["{", &items.join(", "), "}"].concat())
    }

    fn array(&mut self, depth: usize) -> Result<String, FlattenError> {
        let mut text = String::from("[");
        let mut separator = "";
        self.enter(depth)?;
        while self.peek().is_some_and(|next| next != ']') {
            text.push_str(separator);
            text.push_str(&self.value(depth)?);
            separator = ", ";
            self.skip(',');
        }
        self.skip(']');
        text.push(']');
        Ok(text)
    }

    fn enter(&mut self, depth: usize) -> Result<(), FlattenError> {
        if depth > self.depth {
            return Err(FlattenError::TooDeep(self.depth));
        }
        self.rest = self.rest.get(1..).unwrap_or_default();
        Ok(())
    }

    fn string(&mut self) -> Result<String, FlattenError> {
        self.peek();
        let mut escaped = true; // the opening quote
        let end = self.rest.bytes().position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        let length = end.map_or(self.rest.len(), |end| end + 1);
        let (text, rest) = self.rest.split_at(length);
        self.rest = rest;
        serde_json::from_str(text).map_err(|error| self.malformed(&error.to_string()))
    }

    /// A number, `true`, `false` or `null`, unchanged.
    fn literal(&mut self) -> Result<String, FlattenError> {
        let ends = |c: char| matches!(c, ',' | ']' | '}') || c.is_ascii_whitespace();
        let length = self.rest.find(ends).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(length);
        if text.is_empty() {
            return Err(self.malformed("a value is missing"));
        }
        self.rest = rest;
        Ok(text.to_owned())
    }

    fn malformed(&self, reason: &str) -> FlattenError {
        // The location is relative to the string, so it is removed.
        let (reason, _) = reason.split_once(" at line ").unwrap_or((reason, ""));
        FlattenError::Malformed {
            reason: reason.to_owned(),
            read: self.input.len() - self.rest.len(),
        }
    }

    /// The next character that is not white space.
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn skip(&mut self, expected: char) {
        if self.peek() == Some(expected) {
            self.rest = self.rest.get(1..).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn flat(json: &str) -> String {
        flatten(json, 64).unwrap().unwrap()
    }

    #[test]
    fn maps_and_arrays_become_flat_text() {
        for (json, expected) in [
            (
                r#"{"street": "mystreet", "city" : "mycity"}"#,
                "{street=mystreet, city=mycity}",
            ),
            (
                r#"["9002@SIP_Switch","5555666"]"#,
                "[9002@SIP_Switch, 5555666]",
            ),
            (
                r#"{"a":{"b":[1,{"c":[]}],"d":{}}}"#,
                "{a={b=[1, {c=[]}], d={}}}",
            ),
            (r#"["",""]"#, "[, ]"),
            (r#"["a\"b","c\\"]"#, "[a\"b, c\\]"),
            (r#"["\u00e9\ud83d\ude00 , ] }"]"#, "[\u{e9}\u{1f600} , ] }]"),
            (r#"{"a":1,"b":2,"a":3}"#, "{a=3, b=2}"),
            ("[true , null,false]", "[true, null, false]"),
        ] {
            assert_eq!(flat(json), expected, "{json}");
        }
    }

    #[test]
    fn numbers_keep_their_digits() {
        for json in [
            "1.50",
            "1e5",
            "1E+05",
            "-0",
            "123456789012345678901234567890",
            "0.10",
        ] {
            assert_eq!(flat(json), json);
            assert_eq!(flat(&format!("[ {json} ]")), format!("[{json}]"));
        }
    }

    #[test]
    fn null_becomes_none() {
        assert_eq!(flatten(" null ", 64), Ok(None));
        assert_eq!(flat(r#""null""#), "null");
    }

    #[test]
    fn nesting_has_a_limit() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(flat(&nested(64)), nested(64));
        assert_eq!(flatten(&nested(65), 64), Err(FlattenError::TooDeep(64)));
        let deep = nested(1_000_000);
        assert_eq!(flatten(&deep, 64), Err(FlattenError::TooDeep(64)));
    }

    /// Any JSON value, with its expected text.
    fn value() -> impl Strategy<Value = (String, String)> {
        let text = ".{0,8}".prop_map(|text| (serde_json::to_string(&text).unwrap(), text));
        let number = any::<f64>().prop_filter("finite", |number| number.is_finite());
        let number = number.prop_map(|number| (number.to_string(), number.to_string()));
        let fixed = prop::sample::select(vec!["true", "false", "null"]);
        let fixed = fixed.prop_map(|text| (text.to_owned(), text.to_owned()));
        let leaf = prop_oneof![text, number, fixed];
        leaf.prop_recursive(4, 64, 6, |inner| {
            let array = prop::collection::vec(inner.clone(), 0..6).prop_map(|items| {
                let (json, flat): (Vec<_>, Vec<_>) = items.into_iter().unzip();
                (
                    format!("[ {} ]", json.join(" , ")),
                    format!("[{}]", flat.join(", ")),
                )
            });
            let map = prop::collection::btree_map(".{0,4}", inner, 0..6).prop_map(|items| {
                let json = items.iter().map(|(key, value)| {
                    format!("{}:{}", serde_json::to_string(key).unwrap(), value.0)
                });
                let flat = items
                    .iter()
                    .map(|(key, value)| format!("{key}={}", value.1));
                let json: Vec<_> = json.collect();
                let flat: Vec<_> = flat.collect();
                (
                    format!("{{{}}}", json.join(",")),
                    format!("{{{}}}", flat.join(", ")),
                )
            });
            prop_oneof![array, map]
        })
    }

    proptest! {
        #[test]
        fn nested_values_are_flattened_recursively((json, expected) in value()) {
            let expected = (json != "null").then_some(expected);
            prop_assert_eq!(flatten(&json, 64), Ok(expected));
        }

        #[test]
        fn invalid_json_never_hangs_or_panics(text in "[\\[\\]{}:,\"\\\\a1 ]{0,40}") {
            drop(flatten(&text, 64));
        }
    }
}
