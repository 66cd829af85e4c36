//! *Service definitions* and *Resource groups*: entry, new entry. Usage and numbers of groups are in [`groups`].

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    http::StatusCode,
    web::{Data, Payload},
};

use super::{
    PageError, PageResult,
    catalog_activation::describe_activation,
    catalog_entry_draft::{EntryDraft, SAVED},
    catalog_tables::table_path,
    entry_base::EntryBase,
    entry_conflict::{Conflict, DELETED_REVISION, EditedEntry},
    flash_message,
    form::Form,
    form_fields::{BASE_FIELD, PRESET_FIELD, REVISION_FIELD},
    form_values::FormValues,
    groups,
    number_edits::EditCounts,
    ok_page, page_url, redirect_see_other, render,
    signed_in::SignedIn,
};
use crate::{
    http::{AppState, admin_api, body, path},
    model::{EntryName, Table},
    service::{Admin, AdminError, FormData, Options, Precondition},
};

/// Messages after a redirect to a page.
pub(super) const FLASH_MESSAGES: [(&str, &str); 2] =
    [("deleted", "Deleted"), ("released", "Number released")];

/// `GET /genesys/1/admin/ui/new/services?preset=`, `GET /genesys/1/admin/ui/new/groups`; with `?copy=` the form has the
/// options of another entry
pub(super) async fn show_new_entry(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let table = path::page_table(&request)?;
    let query = body::parse_query(&state, &request)?;
    let admin = admin_api::admin_service(&state)?;
    let draft = match query.text("copy") {
        Some(name) => EntryDraft::copy_of(table, admin.read_entry((table, name.to_owned())).await?),
        None => EntryDraft {
            preset_name: query.text(PRESET_FIELD).unwrap_or_default().to_owned(),
            ..EntryDraft::new(table)
        },
    };
    ok_page(&draft.into_page(admin, &session)?)
}

/// `POST /genesys/1/admin/ui/new/services`, `POST /genesys/1/admin/ui/new/groups`
pub(super) async fn create_entry(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
    payload: Payload,
) -> PageResult {
    let table = path::page_table(&request)?;
    let form = Form::read(&state, &session, &request, payload).await?;
    let draft = EntryDraft {
        requested_name: form.text("name").trim().to_owned(),
        preset_name: form.text(PRESET_FIELD).to_owned(),
        edited: EditedEntry {
            values: FormValues::from_form(&form, &Options::new()),
            ..EditedEntry::default()
        },
        ..EntryDraft::new(table)
    };
    draft
        .save(&state, &session, &request, &Precondition::MustNotExist)
        .await
}

/// `GET /genesys/1/admin/ui/services/{name}`, `GET /genesys/1/admin/ui/groups/{name}`
pub(super) async fn show_entry(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let (table, name) = (path::page_table(&request)?, path::page_name(&request)?);
    let admin = admin_api::admin_service(&state)?;
    let entry = admin.read_entry((table, name)).await?;
    let query = body::parse_query(&state, &request)?;
    let draft = EntryDraft {
        flash: entry_flash(admin, &query).await,
        ..EntryDraft::from_entry(table, entry)
    };
    let mut page = draft.into_page(admin, &session)?;
    // A group that is not active on this replica has no usage.
    page.group_page = match groups::load_group_page(&state, &request, table).await {
        Err(error) if error.status_code() == StatusCode::NOT_FOUND => None,
        Err(_) if session.outage.is_some() => None,
        group_page => group_page?,
    };
    ok_page(&page)
}

/// The message after a redirect to the page of an entry.
async fn entry_flash(admin: &Admin, query: &FormData) -> String {
    if query.text("message") != Some(SAVED) {
        return flash_message(query, &FLASH_MESSAGES).to_owned();
    }
    let counts = EditCounts::from_query(query).describe();
    let activation = describe_activation(admin).await;
    format!("Saved.{counts}{activation}")
}

/// `POST /genesys/1/admin/ui/services/{name}`, `POST /genesys/1/admin/ui/groups/{name}`
pub(super) async fn save_entry(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
    payload: Payload,
) -> PageResult {
    let ((table, name), form) = read_entry_form(&state, &session, &request, payload).await?;
    let (revision, condition) = replaced_revision(&form);
    let current = current_options(admin_api::admin_service(&state)?, (table, name.clone())).await?;
    let draft = EntryDraft {
        name: Some(name),
        edited: EditedEntry {
            values: FormValues::from_form(&form, &current),
            base: EntryBase::parse(form.text(BASE_FIELD)),
            revision,
        },
        ..EntryDraft::new(table)
    };
    draft.save(&state, &session, &request, &condition).await
}

/// The revision that a form replaces, and the condition for it.
fn replaced_revision(form: &Form) -> (String, Precondition) {
    // After a conflict, the revision to overwrite.
    let overwritten = Some(form.text("overwrite")).filter(|revision| !revision.is_empty());
    let revision = overwritten.unwrap_or_else(|| form.text(REVISION_FIELD));
    let condition = match revision {
        DELETED_REVISION => Precondition::MustNotExist,
        _ => Precondition::IfMatch(vec![revision.to_owned()]),
    };
    (revision.to_owned(), condition)
}

/// `POST /genesys/1/admin/ui/services/{name}/delete`, `POST /genesys/1/admin/ui/groups/{name}/delete`
pub(super) async fn delete_entry(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
    payload: Payload,
) -> PageResult {
    let (entry, form) = read_entry_form(&state, &session, &request, payload).await?;
    let condition = Precondition::IfMatch(vec![form.text(REVISION_FIELD).to_owned()]);
    let actor = session.actor(&state, &request);
    let admin = admin_api::admin_service(&state)?;
    match admin.delete_entry(entry.clone(), &condition, &actor).await {
        Ok(()) => Ok(redirect_to_list(entry.0)),
        Err(AdminError::PreconditionFailed(_)) => {
            show_changed_entry(admin, &session, entry, form.text(BASE_FIELD)).await
        }
        Err(error) => Err(error.into()),
    }
}

/// The list of entries after one was deleted.
fn redirect_to_list(table: Table) -> HttpResponse {
    redirect_see_other(&format!(
        "{}?message=deleted",
        page_url(&[table_path(table)])
    ))
}

/// The page of an entry that was not deleted, because someone else changed it.
async fn show_changed_entry(
    admin: &Admin,
    session: &SignedIn,
    entry: EntryName,
    base: &str,
) -> PageResult {
    let saved = admin.read_entry(entry.clone()).await?;
    let base = EntryBase::parse(base);
    let conflict = Conflict::not_deleted(admin, &entry, &base, &saved.options).await?;
    let draft = EntryDraft {
        conflict: Some(conflict),
        ..EntryDraft::from_entry(entry.0, saved)
    };
    let page = draft.into_page(admin, session)?;
    render(StatusCode::PRECONDITION_FAILED, &page)
}

/// The entry of the path, and the submitted form.
async fn read_entry_form(
    state: &AppState,
    session: &SignedIn,
    request: &HttpRequest,
    payload: Payload,
) -> Result<(EntryName, Form), PageError> {
    let entry = (path::page_table(request)?, path::page_name(request)?);
    Ok((entry, Form::read(state, session, request, payload).await?))
}

/// The options of an entry; empty if it does not exist.
async fn current_options(admin: &Admin, entry: EntryName) -> Result<Options, AdminError> {
    match admin.read_entry(entry).await {
        Ok(entry) => Ok(entry.options),
        Err(AdminError::NoSuchEntry(..)) => Ok(Options::new()),
        Err(error) => Err(error),
    }
}
