//! *Configured services* and *Resource groups*: all of them, one of them, a new one.
//!
//! The two differ in the table that they are in; what only groups have is in [`groups`].

use std::collections::HashMap;

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    http::StatusCode,
    web::{Data, Payload},
};

use super::{
    Frame, Page, PageError, done,
    entry_form::{EntryForm, EntryPage},
    filled::Filled,
    form::Form,
    gate::Visitor,
    groups, rendered, see, shown, url,
};
use crate::{
    http::{Api, ApiError, admin, body, path},
    service::{
        Admin, AdminError, CatalogEntry, Condition, MOST_GROUPS, Options, Origin, Template,
        group_options, template_of, templates,
    },
    store::{EntryName, Pool, Table},
};

#[derive(askama::Template)]
#[template(path = "entries.html")]
struct Entries {
    frame: Frame,
    table: Table,
    rows: Vec<Row>,
    templates: &'static [Template],
    done: &'static str,
}

impl Entries {
    fn are_services(&self) -> bool {
        self.table == Table::Services
    }

    fn url(&self, row: &Row) -> String {
        url(&[part(self.table), &row.entry.name])
    }
}

struct Row {
    entry: CatalogEntry,
    /// What it is made from, or how it hands out its numbers.
    about: String,
    /// How full it is; of the first groups that are in force.
    fill: Option<Pool>,
}

impl Row {
    fn of(fill: Option<Pool>, entry: CatalogEntry) -> Self {
        let text = |option: &str| entry.options.get(option).and_then(|value| value.text());
        let template = template_of(&entry.options).map(|template| template.title);
        let about = template.or_else(|| text("_allocation_strategy"));
        Self {
            about: about.unwrap_or_default().to_owned(),
            fill,
            entry,
        }
    }

    fn is_of_file(&self) -> bool {
        self.entry.origin == Origin::File
    }
}

/// What was done, as the place it leads to tells it, and in words.
const DONE: [(&str, &str); 3] = [
    (
        "saved",
        "It is saved, and in force on every replica within a second.",
    ),
    ("deleted", "It is deleted."),
    ("released", "The number is given back."),
];

/// `GET /genesys/1/admin/ui/services`, `GET /genesys/1/admin/ui/groups`
pub(super) async fn list(api: Data<Api>, visitor: Visitor, request: HttpRequest) -> Page {
    let (admin, table) = (admin::admin(&api)?, path::page_table(&request)?);
    let (_, entries) = admin.list(table).await?;
    let mut groups = match table {
        Table::Services => Vec::new(),
        Table::Resources => admin.group_names(),
    };
    // Nothing else waits behind a list, however long it is.
    groups.truncate(MOST_GROUPS);
    let fills = match admin.fills(groups).await {
        Err(_) if visitor.away.is_some() => Vec::new(),
        fills => fills?,
    };
    let mut fills: HashMap<String, Pool> = fills.into_iter().collect();
    let rows = entries.into_iter();
    let rows = rows.map(|entry| Row::of(fills.remove(&entry.name), entry));
    shown(&Entries {
        frame: Frame::of(&visitor, section(table), title(table)),
        table,
        rows: rows.collect(),
        templates: templates(),
        done: done(&body::query(&api, &request)?, &DONE),
    })
}

/// `GET /genesys/1/admin/ui/new/services?template=`, `GET /genesys/1/admin/ui/new/groups`
pub(super) async fn begin(api: Data<Api>, visitor: Visitor, request: HttpRequest) -> Page {
    let table = path::page_table(&request)?;
    let query = body::query(&api, &request)?;
    let draft = Draft {
        template: query.text("template").unwrap_or_default().to_owned(),
        ..Draft::new(table)
    };
    shown(&draft.page(admin::admin(&api)?, &visitor)?)
}

/// `POST /genesys/1/admin/ui/new/services`, `POST /genesys/1/admin/ui/new/groups`
pub(super) async fn create(
    api: Data<Api>,
    visitor: Visitor,
    request: HttpRequest,
    payload: Payload,
) -> Page {
    let table = path::page_table(&request)?;
    let form = Form::read(&api, &visitor, &request, payload).await?;
    let draft = Draft {
        wanted_name: form.text("name").trim().to_owned(),
        template: form.text("template").to_owned(),
        filled: Filled::of(&form, &Options::new()),
        ..Draft::new(table)
    };
    draft
        .save(&api, &visitor, &request, &Condition::Absent)
        .await
}

/// `GET /genesys/1/admin/ui/services/{name}`, `GET /genesys/1/admin/ui/groups/{name}`
pub(super) async fn look_at(api: Data<Api>, visitor: Visitor, request: HttpRequest) -> Page {
    let (table, name) = (path::page_table(&request)?, path::page_name(&request)?);
    let admin = admin::admin(&api)?;
    let entry = admin.read((table, name)).await?;
    let draft = Draft {
        done: done(&body::query(&api, &request)?, &DONE),
        ..Draft::of(table, entry)
    };
    let mut page = draft.page(admin, &visitor)?;
    // Of a group that is not in force here, or not yet, there are no figures.
    page.holders = match groups::holders(&api, &request, table).await {
        Err(error) if error.status_code() == StatusCode::NOT_FOUND => None,
        Err(_) if visitor.away.is_some() => None,
        holders => holders?,
    };
    let refused = page.holders.as_ref().and_then(|holders| holders.refused);
    rendered(refused.unwrap_or(StatusCode::OK), &page)
}

/// `POST /genesys/1/admin/ui/services/{name}`, `POST /genesys/1/admin/ui/groups/{name}`
pub(super) async fn save(
    api: Data<Api>,
    visitor: Visitor,
    request: HttpRequest,
    payload: Payload,
) -> Page {
    let ((table, name), form) = sent(&api, &visitor, &request, payload).await?;
    let revision = form.text("revision").to_owned();
    let condition = Condition::Is(vec![revision.clone()]);
    let before = options_of(admin::admin(&api)?, (table, name.clone())).await?;
    let draft = Draft {
        name: Some(name),
        filled: Filled::of(&form, &before),
        revision,
        ..Draft::new(table)
    };
    draft.save(&api, &visitor, &request, &condition).await
}

/// `POST /genesys/1/admin/ui/services/{name}/delete`, `POST /genesys/1/admin/ui/groups/{name}/delete`
pub(super) async fn delete(
    api: Data<Api>,
    visitor: Visitor,
    request: HttpRequest,
    payload: Payload,
) -> Page {
    let ((table, name), form) = sent(&api, &visitor, &request, payload).await?;
    let condition = Condition::Is(vec![form.text("revision").to_owned()]);
    let by = visitor.operator(&api, &request);
    admin::admin(&api)?
        .delete((table, name), &condition, &by)
        .await?;
    Ok(see(&format!("{}?done=deleted", url(&[part(table)]))))
}

/// The entry that a form is about, and the form.
async fn sent(
    api: &Api,
    visitor: &Visitor,
    request: &HttpRequest,
    payload: Payload,
) -> Result<(EntryName, Form), PageError> {
    let entry = (path::page_table(request)?, path::page_name(request)?);
    Ok((entry, Form::read(api, visitor, request, payload).await?))
}

/// What the entry says; nothing where there is none.
async fn options_of(admin: &Admin, entry: EntryName) -> Result<Options, AdminError> {
    match admin.read(entry).await {
        Ok(entry) => Ok(entry.options),
        Err(AdminError::NoSuchEntry(..)) => Ok(Options::new()),
        Err(error) => Err(error),
    }
}

/// An entry as it is filled in, saved or not.
struct Draft {
    table: Table,
    name: Option<String>,
    wanted_name: String,
    template: String,
    filled: Filled,
    revision: String,
    read_only: bool,
    problem: String,
    warnings: Vec<String>,
    changed: bool,
    done: &'static str,
}

impl Draft {
    fn new(table: Table) -> Self {
        Self {
            table,
            name: None,
            wanted_name: String::new(),
            template: String::new(),
            filled: Filled::default(),
            revision: String::new(),
            read_only: false,
            problem: String::new(),
            warnings: Vec::new(),
            changed: false,
            done: "",
        }
    }

    fn of(table: Table, entry: CatalogEntry) -> Self {
        Self {
            name: Some(entry.name),
            filled: entry.options.into(),
            revision: entry.revision,
            read_only: entry.origin == Origin::File,
            problem: entry.problem.unwrap_or_default(),
            warnings: entry.warnings,
            ..Self::new(table)
        }
    }

    /// Saves it; where that cannot be, it is shown as it was filled in, with the reason.
    async fn save(
        mut self,
        api: &Api,
        visitor: &Visitor,
        request: &HttpRequest,
        condition: &Condition,
    ) -> Page {
        let admin = admin::admin(api)?;
        let name = self
            .name
            .clone()
            .unwrap_or_else(|| self.wanted_name.clone());
        let entry = (self.table, name.clone());
        let by = visitor.operator(api, request);
        let put = match self.filled.options() {
            Ok(options) => admin.put(entry, options, condition, &by).await.map(drop),
            Err(problem) => Err(AdminError::Invalid(problem)),
        };
        match put {
            Ok(()) => Ok(saved(self.table, &name)),
            Err(error) => {
                self.changed = matches!(error, AdminError::Changed(_)) && self.name.is_some();
                self.read_only = matches!(error, AdminError::ReadOnly(..)) && self.name.is_some();
                let error = ApiError::from(error);
                self.problem = error.to_string();
                rendered(error.status_code(), &self.page(admin, visitor)?)
            }
        }
    }

    fn page(self, admin: &Admin, visitor: &Visitor) -> Result<EntryPage, PageError> {
        let template = match self.table {
            Table::Resources => None,
            Table::Services => self.template()?,
        };
        let known = match (self.table, template) {
            (Table::Resources, _) => group_options(),
            (Table::Services, Some(template)) => admin.options_of(template),
            (Table::Services, None) => Vec::new(),
        };
        let title = self
            .name
            .clone()
            .unwrap_or_else(|| new(self.table).to_owned());
        Ok(EntryPage {
            frame: Frame::of(visitor, section(self.table), title),
            table: self.table,
            about: template
                .map(|template| template.help.to_owned())
                .unwrap_or_default(),
            name: self.name,
            wanted_name: self.wanted_name,
            revision: self.revision,
            read_only: self.read_only,
            template: template
                .map(|template| template.name.to_owned())
                .unwrap_or_default(),
            form: EntryForm::of(
                known,
                template,
                &self.filled,
                admin.group_names(),
                &self.problem,
            ),
            problem: self.problem,
            warnings: self.warnings,
            changed: self.changed,
            done: self.done,
            holders: None,
        })
    }

    /// What it is made from: as it says itself or, while it says nothing, as it was chosen.
    fn template(&self) -> Result<Option<&'static Template>, PageError> {
        if self.name.is_some() {
            return Ok(template_of(&self.filled.first()));
        }
        let mut known = templates().iter();
        let chosen = known.find(|template| template.name == self.template);
        let unknown = || ApiError::NotFound(format!("the template {:?}", self.template));
        chosen.map(Some).ok_or_else(|| unknown().into())
    }
}

fn saved(table: Table, name: &str) -> HttpResponse {
    see(&format!("{}?done=saved", url(&[part(table), name])))
}

/// The table in paths.
pub(super) fn part(table: Table) -> &'static str {
    match table {
        Table::Services => "services",
        Table::Resources => "groups",
    }
}

fn section(table: Table) -> &'static str {
    part(table)
}

fn title(table: Table) -> &'static str {
    match table {
        Table::Services => "Configured services",
        Table::Resources => "Resource groups",
    }
}

fn new(table: Table) -> &'static str {
    match table {
        Table::Services => "New configured service",
        Table::Resources => "New resource group",
    }
}
