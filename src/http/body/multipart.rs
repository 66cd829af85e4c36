//! `multipart/form-data`: strings, and files that are streamed on as they arrive.

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::HttpRequest;
use futures_util::{StreamExt, future::ready, stream};

use super::{
    charset::{Charset, Label},
    intake::{Intake, too_large},
    stream::{BodyStream, Fault},
};
use crate::{
    http::ApiError,
    service::{Entry, Uploads},
};

/// What a file is where its part does not say.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// What is said of a part whose head is no head. It is parsed as those of HTTP are.
const MALFORMED_HEAD: &str = "the head of a part is malformed; names of keys and files can have no control \
                              characters there, a JSON or form body takes any";

/// Takes all parts in.
///
/// # Errors
/// [`ApiError::InvalidBody`] for what is malformed or incomplete.
pub(super) async fn read(
    request: &HttpRequest,
    mut stream: BodyStream,
    intake: &mut Intake<'_>,
    uploads: &mut Uploads,
) -> Result<(), ApiError> {
    let fault = stream.fault();
    let Some(first) = stream.next().await else {
        return Ok(());
    };
    let stream = stream::once(ready(first)).chain(stream);
    let mut parts = Multipart::new(request.headers(), stream);
    let label = request.headers().get("content-type");
    let label = label.and_then(|label| label.to_str().ok());
    let default = Charset::label(label.unwrap_or_default()).known()?;
    while let Some(part) = parts.next().await {
        let part = part.map_err(|error| match error {
            MultipartError::Parse(_) => fault.explain(&MALFORMED_HEAD),
            error => fault.explain(&error),
        })?;
        intake.count()?;
        let name = part.name().unwrap_or_default().to_owned();
        let entry = if is_file(&part) && name.starts_with('_') {
            // It will not be stored, so it is not taken in.
            skip(part, &fault).await?;
            continue;
        } else if is_file(&part) {
            file(&name, part, &fault, intake, uploads).await?
        } else {
            text(&name, part, default, &fault, intake).await?
        };
        intake.counted(name, entry);
    }
    Ok(())
}

/// A part with a file name, or with a type that is no text.
fn is_file(part: &Field) -> bool {
    let named = part.content_disposition().is_some_and(|disposition| {
        disposition.get_filename().is_some() || disposition.get_filename_ext().is_some()
    });
    let kind = part.content_type();
    named || kind.is_some_and(|kind| kind.type_() != "text")
}

async fn skip(mut part: Field, fault: &Fault) -> Result<(), ApiError> {
    while let Some(bytes) = part.next().await {
        bytes.map_err(|error| fault.explain(&error))?;
    }
    Ok(())
}

async fn text(
    name: &str,
    mut part: Field,
    default: Charset,
    fault: &Fault,
    intake: &Intake<'_>,
) -> Result<Entry, ApiError> {
    let mut bytes = Vec::new();
    while let Some(more) = part.next().await {
        let more = more.map_err(|error| fault.explain(&error))?;
        intake.check_text(name, bytes.len() + more.len())?;
        bytes.extend_from_slice(&more);
    }
    let label = part
        .content_type()
        .map(|kind| Charset::label(kind.as_ref()));
    let charset = match label {
        None | Some(Label::Absent) => default,
        Some(label) => label.known()?,
    };
    let text = charset.decode(&bytes);
    let text = text.map_err(|reason| ApiError::InvalidBody(format!("part {name:?}: {reason}")))?;
    intake.check_text(name, text.len())?;
    Ok(Entry::Text(text.into_owned()))
}

async fn file(
    name: &str,
    mut part: Field,
    fault: &Fault,
    intake: &Intake<'_>,
    uploads: &mut Uploads,
) -> Result<Entry, ApiError> {
    let limit = intake.limits.binary_bytes;
    let mut upload = uploads.begin().await?;
    while let Some(bytes) = part.next().await {
        let bytes = bytes.map_err(|error| fault.explain(&error))?;
        if upload.size() + bytes.len() as u64 > limit as u64 {
            let what = format!("the file {name:?} is over");
            return Err(too_large(&what, limit, " bytes", "binary_bytes"));
        }
        upload.push(&bytes).await?;
    }
    let kind = part
        .content_type()
        .map_or(UNKNOWN_TYPE, |kind| kind.as_ref());
    let disposition = part.content_disposition();
    let extended = disposition.and_then(|disposition| disposition.get_filename_ext());
    let file_name = match extended {
        Some(extended) => Some(String::from_utf8_lossy(&extended.value).into_owned()),
        None => disposition
            .and_then(|disposition| disposition.get_filename())
            .map(str::to_owned),
    };
    let binary = upload.finish(kind.to_owned(), file_name).await?;
    Ok(Entry::Binary(binary))
}
