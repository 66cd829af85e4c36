//! A realistic example of each row of the error table, for the OpenAPI document.

use super::ApiError;

const NOT_QUARANTINED: &str = "number \"8005550199\" of resource group \"DNIS\" is not quarantined";
const ID: &str = "39a98e24-b03b-4191-b756-1efe8f3b16b8";

impl ApiError {
    /// One example of each row, with this status of `UnreadableJson`.
    pub(in crate::http) fn examples(unreadable_json_status: u16) -> Vec<Self> {
        let no_service = format!("there is no service {ID:?}; it may have expired");
        let no_key = format!("service {ID} has no key \"Key9\"");
        let no_request =
            "services of \"store\" do not support the request \"ixn/chat\"; supported: \"update\"";
        let no_match =
            "no booking matches a call to +18003449999 with this access code and caller number";
        vec![
            Self::UnreadableJson {
                reason: "EOF while parsing an object at line 1 column 1".to_owned(),
                status: unreadable_json_status,
            },
            Self::InvalidBody(
                "the value of field 1, \"a\": the text is not valid UTF-8 at byte 0; text must be UTF-8, \
                 or in the charset that Content-Type or the field _charset_ names"
                    .to_owned(),
            ),
            Self::InvalidParameter(
                "_ttl is \"0\"; expected an integer from 1 to 2592000".to_owned(),
            ),
            Self::ApiKeyRequired("an API key is missing: expected the header x-api-key or apikey"),
            Self::Forbidden("cross-site requests are not allowed here"),
            Self::InvalidDefinition(
                "service \"cart\", option _ttl: it is \"0\"; expected an integer from 1 to 2592000"
                    .to_owned(),
            ),
            Self::ReadOnly(
                "service \"store\" is defined in the catalog file and is read-only"
                    .to_owned(),
            ),
            Self::PreconditionFailed(
                "service \"cart\" has changed; its current ETag is \"2-5c1f09aa\"; no changes were made"
                    .to_owned(),
            ),
            Self::PreconditionRequired(
                "service \"cart\" exists already; to replace or delete it, send If-Match with its ETag"
                    .to_owned(),
            ),
            Self::GroupNotFound("there is no resource group \"support\"".to_owned()),
            Self::BookingNotFound(
                "resource group \"DNIS\" has no booking \"b1\"; it may have been released"
                    .to_owned(),
            ),
            Self::NumberNotFound(NOT_QUARANTINED.to_owned()),
            Self::WebhookNotFound(
                "there is no webhook \"services/shop\"; expected services/<name> or resources/<name> of an entry \
                 with _webhook_url"
                    .to_owned(),
            ),
            Self::ServiceNotFound(no_service),
            Self::KeyNotFound(no_key),
            Self::RequestNotFound(no_request.to_owned()),
            Self::NoMatch(no_match.to_owned()),
            Self::NoAccessNumber {
                message: "all access numbers are booked".to_owned(),
                retry_after: 30,
            },
            Self::ChatDisconnected("the chat has ended".to_owned()),
            Self::ChatFull(
                "the chat has the maximum number of events (option _chat_max_events) or of members; nothing was changed"
                    .to_owned(),
            ),
            Self::ChatUnavailable("no agent is available for this chat; try again later".to_owned()),
            Self::ChatEnded("the chat has ended; no changes were made".to_owned()),
            Self::ChatTaken("another agent is in the chat; no changes were made".to_owned()),
            Self::NotInChat("you are not in this chat; join it first".to_owned()),
            Self::NotFound("/genesys/2/service/store".to_owned()),
            Self::MethodNotAllowed {
                method: "PUT".to_owned(),
                allow: "GET, HEAD, POST, DELETE".to_owned(),
            },
            Self::TooLarge("the number of fields is over 1000 (limits.fields)".to_owned()),
            Self::IdempotencyKeyReused(
                "the Idempotency-Key was used for a different request; no changes were made".to_owned(),
            ),
            Self::UnsupportedMediaType(
                "the content type \"text/xml\" is not supported; expected multipart/form-data, \
                 application/x-www-form-urlencoded or application/json"
                    .to_owned(),
            ),
            Self::TooManyRequests {
                message: "too many creates of \"store\"; the limit is 10 in 60 seconds"
                    .to_owned(),
                retry_after: 42,
            },
            Self::RangeNotSatisfiable { size: 5 },
            Self::BackendUnreachable("ORS request failed: cannot connect to ORS".to_owned()),
            Self::BackendTimeout(
                "ORS request failed: ORS did not respond within 10000 ms; it is unknown whether the request took effect"
                    .to_owned(),
            ),
            Self::Overloaded(
                "the service is busy: requests in flight use up limits.request_memory_bytes \
                 (67108864 bytes); try again"
                    .to_owned(),
            ),
            Self::StoreUnavailable("the store is unavailable; no changes were made; retry later"),
            Self::StoreFull,
            Self::Internal,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of the table, parsed from the source.
    fn rows() -> Vec<&'static str> {
        let source = include_str!("../error.rs");
        let table = source.split_once("fn row(").unwrap().1;
        let table = table.split_once("\n}\n").unwrap().0;
        let names = table.split("(\"").skip(1);
        names.map(|name| name.split_once('"').unwrap().0).collect()
    }

    #[test]
    fn every_row_of_the_table_has_one_example() {
        let rows = rows();
        assert!(rows.contains(&"KeyNotFound"), "{rows:?}");
        let examples = ApiError::examples(500);
        let examples: Vec<&str> = examples.iter().map(|error| error.row().0).collect();
        assert_eq!(examples, rows);
    }
}
