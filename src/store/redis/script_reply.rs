//! What the scripts answer, and what a description is made of.

use redis::{FromRedisValue, ParsingError, Value};

use super::binaries::parse_descriptor;
use crate::store::{Description, StoreError, Timestamp};

/// The answer of a script: a number, told in the head of each script, and texts.
#[derive(Debug)]
pub(super) enum ScriptReply {
    /// 0: it is not for this service to do. Nothing was changed.
    Refused(Vec<String>),
    /// 1: all is done.
    Done(Vec<String>),
    /// 2: chunks of a binary are gone. Nothing was changed.
    UploadLost,
    /// 3: there would be too many keys. Nothing was changed.
    TooManyKeys,
    /// 4: call again with what these texts tell. Nothing was changed.
    Retry(Vec<String>),
    /// 5: none of the codes offered is free. Nothing was changed.
    CodesTaken,
}

impl ScriptReply {
    /// The error for an answer that the script called never gives.
    pub(super) fn unexpected(self) -> StoreError {
        StoreError::Bug(format!("a script answered {self:?}"))
    }
}

impl FromRedisValue for ScriptReply {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let mut parts = Vec::<Value>::from_redis_value(value)?.into_iter();
        let number = parts.next().map(i64::from_redis_value).transpose()?;
        let texts = parts
            .map(Option::<String>::from_redis_value)
            .filter_map(Result::transpose)
            .collect::<Result<Vec<String>, ParsingError>>()?;
        match number {
            Some(0) => Ok(Self::Refused(texts)),
            Some(1) => Ok(Self::Done(texts)),
            Some(2) => Ok(Self::UploadLost),
            Some(3) => Ok(Self::TooManyKeys),
            Some(4) => Ok(Self::Retry(texts)),
            Some(5) => Ok(Self::CodesTaken),
            _ => Err(ParsingError::from(format!("script answer {number:?}"))),
        }
    }
}

/// As many replies as there were commands.
pub(super) fn reply_array<const N: usize>(values: Vec<Value>) -> Result<[Value; N], StoreError> {
    let count = values.len();
    <[Value; N]>::try_from(values)
        .map_err(|_values| StoreError::Corrupt(format!("{count} replies to {N} commands")))
}

/// A description from `values` of our fields and, behind them, one descriptor for each of `names`.
/// `None` where the service has ended, before or between the questions.
pub(super) fn parse_description(
    values: Vec<Option<String>>,
    keys: Vec<String>,
    names: &[&str],
) -> Result<Option<Description>, StoreError> {
    let mut values = values.into_iter();
    let mut next = || values.next().flatten();
    let (definition, created, end, gms_user) = (next(), next(), next(), next());
    let Some(definition) = definition else {
        return Ok(None);
    };
    let mut binaries = Vec::with_capacity(names.len());
    for (name, text) in names.iter().zip(values) {
        // One that was removed between the questions is not told.
        if let Some(text) = text {
            binaries.push(((*name).to_owned(), parse_descriptor(&text)?));
        }
    }
    Ok(Some(Description {
        definition,
        created: parse_timestamp(created.as_deref())?,
        end: parse_timestamp(end.as_deref())?,
        gms_user,
        keys,
        binaries,
    }))
}

fn parse_timestamp(text: Option<&str>) -> Result<Timestamp, StoreError> {
    match text.map(str::parse) {
        Some(Ok(millis)) => Ok(Timestamp::from_millis(millis)),
        _ => Err(StoreError::Corrupt(format!("a time: {text:?}"))),
    }
}
