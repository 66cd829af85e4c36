//! Replies of the scripts, and the parsing of service descriptions.

use redis::{FromRedisValue, ParsingError, Value};

use super::binaries::parse_descriptor;
use crate::model::{Description, Revision, StoreError, Timestamp};

/// The reply of a script: a status number, which the header of each script documents, and texts. A script may return a
/// status without texts as a number instead of an array, which takes Redis less time; a number that is not a status is a
/// revision, and means success.
#[derive(Debug)]
pub(super) enum ScriptReply {
    /// 0: the operation does not apply. Nothing changed.
    Refused(Vec<String>),
    /// 1: success.
    Done(Vec<String>),
    /// 2: chunks of a binary are missing. Nothing changed.
    UploadLost,
    /// 3: the service would have too many keys. Nothing changed.
    TooManyKeys,
    /// 4: call again with these texts. Nothing changed.
    Retry(Vec<String>),
    /// 5: none of the offered codes is free. Nothing changed.
    CodesTaken,
    /// 6: the condition of the request is not met at this revision. Nothing changed.
    ConditionFailed(Vec<String>),
}

impl ScriptReply {
    /// All revisions are larger, because they begin with a time in microseconds.
    const MAX_STATUS: i64 = 1_000_000;

    /// The error for a reply that the called script does not document.
    pub(super) fn unexpected(self) -> StoreError {
        StoreError::Bug(format!("unexpected script reply {self:?}"))
    }
}

impl FromRedisValue for ScriptReply {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let parts = match value {
            Value::Int(number) if number > Self::MAX_STATUS => {
                return Ok(Self::Done(vec![number.to_string()]));
            }
            Value::Int(_) => vec![value],
            array => Vec::<Value>::from_redis_value(array)?,
        };
        let mut parts = parts.into_iter();
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
            Some(6) => Ok(Self::ConditionFailed(texts)),
            _ => Err(ParsingError::from(format!("script reply {number:?}"))),
        }
    }
}

/// The revision of a storage with these values of `_rev` and `_created`.
pub(super) fn to_revision(rev: Option<u64>, created: Option<u64>) -> Option<Revision> {
    let number = rev.or_else(|| created?.checked_mul(1_000));
    number.map(Revision::new)
}

/// The revision with which the texts of a reply begin.
pub(super) fn revision_of(texts: &[String]) -> Result<Revision, StoreError> {
    let number = texts.first().map(|text| text.parse());
    match number {
        Some(Ok(number)) => Ok(Revision::new(number)),
        _ => Err(StoreError::Corrupt(format!(
            "revision: {:?}",
            texts.first()
        ))),
    }
}

/// Converts the replies to an array with one reply per command.
pub(super) fn reply_array<const N: usize>(values: Vec<Value>) -> Result<[Value; N], StoreError> {
    let count = values.len();
    <[Value; N]>::try_from(values)
        .map_err(|_values| StoreError::Corrupt(format!("{count} replies to {N} commands")))
}

/// Builds a description from the `values` of the internal fields followed by one descriptor per name in
/// `names`. `None` if the service has ended before or between the commands.
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
        // A binary that was removed between the commands is skipped.
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
        _ => Err(StoreError::Corrupt(format!("timestamp: {text:?}"))),
    }
}
