//! The events that webhooks receive, for the section `webhooks` of the document.

use serde_json::json;
use utoipa::openapi::{
    ContentBuilder, HttpMethod, KnownFormat, ObjectBuilder, PathItem, Paths, PathsBuilder, RefOr,
    Required, Response, ResponseBuilder, ResponsesBuilder, Schema, SchemaFormat, Type,
    path::{Operation, OperationBuilder, ParameterBuilder, ParameterIn},
    request_body::RequestBodyBuilder,
    schema::AdditionalProperties,
};

use crate::model::webhook::EventType;

/// A member of the data of events: name, schema, and whether all events of the type have it.
type Member = (&'static str, Schema, bool);

/// The section `webhooks`.
pub(super) fn webhooks() -> Paths {
    let events = EventType::ALL.into_iter().chain([EventType::WebhookTest]);
    let section = events.fold(PathsBuilder::new(), |section, event_type| {
        let item = PathItem::new(HttpMethod::Post, operation(event_type));
        section.path(event_type.as_str(), item)
    });
    section.build()
}

fn operation(event_type: EventType) -> Operation {
    let content = ContentBuilder::new().schema(Some(event_schema(event_type)));
    let body = RequestBodyBuilder::new()
        .content("application/json", content.build())
        .required(Some(Required::True));
    let responses = ResponsesBuilder::new()
        .response("2XX", response("The event is delivered"))
        .response(
            "410",
            response("The webhook is stopped until an operator resumes it"),
        )
        .response(
            "default",
            response("The event is sent again later; redirects are not followed"),
        );
    let parameters = [
        (
            "webhook-id",
            "The `id` of the event. Repetitions have the same one",
        ),
        (
            "webhook-timestamp",
            "The time of the request in seconds since 1970",
        ),
        (
            "webhook-signature",
            "A signature of the Standard Webhooks specification for each secret, separated by spaces",
        ),
    ];
    let operation = OperationBuilder::new()
        .operation_id(Some(operation_id(event_type)))
        .tag("webhooks")
        .summary(Some(summary(event_type)))
        .description(Some("A request of this service to the URL of a webhook."))
        .request_body(Some(body.build()))
        .responses(responses.build());
    let with_headers = parameters
        .into_iter()
        .fold(operation, |operation, (name, text)| {
            let parameter = ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Header)
                .required(Required::True)
                .description(Some(text))
                .schema(Some(ObjectBuilder::new().schema_type(Type::String)));
            operation.parameter(parameter)
        });
    with_headers.build()
}

/// `receive` and the words of the event type: `receiveServiceExpirationUpdated`.
fn operation_id(event_type: EventType) -> String {
    let words = event_type.as_str().split(['.', '_']);
    let words = words.map(|word| word[..1].to_ascii_uppercase() + &word[1..]);
    words.fold("receive".to_owned(), |id, word| id + &word)
}

fn response(description: &str) -> Response {
    ResponseBuilder::new().description(description).build()
}

fn summary(event_type: EventType) -> &'static str {
    match event_type {
        EventType::ServiceCreated => "A service was created",
        EventType::ServiceExpired => "A service has expired",
        EventType::ServiceDeleted => "A service was deleted",
        EventType::ServiceExpirationUpdated => "The expiration time of a service was changed",
        EventType::NumberBooked => "An access number was booked",
        EventType::NumberMatched => "A call was matched, which released its access number",
        EventType::NumberReleased => "An access number was released before its booking expired",
        EventType::NumberLapsed => "The booking of an access number has expired",
        EventType::NumberExhausted => {
            "A resource group had no free access number; at most once a minute"
        }
        EventType::ChatStarted => "A chat was started",
        EventType::ChatMessage => "A party of a chat has sent a message",
        EventType::ChatEnded => "A chat was ended by a party",
        EventType::WebhookTest => "An operator has requested a test event",
    }
}

fn event_schema(event_type: EventType) -> Schema {
    let id = text("Identifies the event").pattern(Some("^evt_[0-9a-f]{40}$"));
    let name = text("The type of the event").enum_values(Some([event_type.as_str()]));
    let event = ObjectBuilder::new()
        .property("id", id)
        .property("type", name)
        .property("time", time("The time of the change"))
        .property("data", object(data_members(event_type)));
    let event = ["id", "type", "time", "data"]
        .into_iter()
        .fold(event, ObjectBuilder::required);
    if event_type == EventType::WebhookTest {
        return event.into();
    }
    let id = text("The id of the service").into();
    let definition = text("The name of the configured service").into();
    let has_id = event_type != EventType::NumberExhausted;
    let id = has_id.then_some(("id", id, true));
    let members = id.into_iter().chain([("definition", definition, true)]);
    event
        .property("service", object(members.collect()))
        .required("service")
        .into()
}

fn data_members(event_type: EventType) -> Vec<Member> {
    const USER_DATA: &str = "with `_webhook_user_data = \"true\"`";
    let user_data = |name, what: &str| (name, text(&format!("{what}; {USER_DATA}")).into(), false);
    let position = ("position", integer("The position in the transcript"), true);
    let party = |is_required| {
        let parties = ["CLIENT", "AGENT", "SUPERVISOR", "EXTERNAL"];
        let party = text("The party").examples(parties.map(|party| json!(party)));
        ("party", party.into(), is_required)
    };
    let group = ("group", text("The resource group").into(), true);
    match event_type {
        EventType::ServiceCreated => vec![
            (
                "user_data",
                strings(&format!("The strings of the service; {USER_DATA}")),
                false,
            ),
            (
                "user_data_omitted",
                boolean(&format!("True if the strings exceed 32 KiB; {USER_DATA}")),
                false,
            ),
        ],
        EventType::ServiceExpirationUpdated => {
            vec![("expires_at", time("The new expiration time").into(), true)]
        }
        EventType::ServiceExpired | EventType::ServiceDeleted => Vec::new(),
        EventType::NumberExhausted => vec![group],
        EventType::NumberBooked
        | EventType::NumberMatched
        | EventType::NumberReleased
        | EventType::NumberLapsed => vec![
            group,
            ("number", text("The access number").into(), true),
            ("code", text("The access code").into(), false),
            user_data("caller", "The expected caller"),
        ],
        EventType::ChatStarted => vec![
            position,
            party(true),
            user_data("nickname", "The name of the customer"),
            user_data("subject", "The subject"),
        ],
        EventType::ChatMessage => vec![
            position,
            party(true),
            user_data("nickname", "The name of the party"),
            user_data("text", "The message"),
        ],
        EventType::ChatEnded => vec![position, party(false)],
        EventType::WebhookTest => vec![("message", text("Text").into(), true)],
    }
}

fn object(members: Vec<Member>) -> ObjectBuilder {
    let members = members.into_iter();
    members.fold(
        ObjectBuilder::new(),
        |object, (name, schema, is_required)| {
            let object = object.property(name, schema);
            if is_required {
                object.required(name)
            } else {
                object
            }
        },
    )
}

fn text(description: &str) -> ObjectBuilder {
    let schema = ObjectBuilder::new().schema_type(Type::String);
    schema.description(Some(description))
}

fn time(description: &str) -> ObjectBuilder {
    text(description).format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
}

fn integer(description: &str) -> Schema {
    let schema = ObjectBuilder::new().schema_type(Type::Integer);
    schema.description(Some(description)).into()
}

fn boolean(description: &str) -> Schema {
    let schema = ObjectBuilder::new().schema_type(Type::Boolean);
    schema.description(Some(description)).into()
}

fn strings(description: &str) -> Schema {
    let value: RefOr<Schema> = ObjectBuilder::new().schema_type(Type::String).into();
    let schema =
        ObjectBuilder::new().additional_properties(Some(AdditionalProperties::from(value)));
    schema.description(Some(description)).into()
}
