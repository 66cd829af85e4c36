//! What operators did.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::info;

use super::{Admin, AdminError, Operator};
use crate::{
    service::options::{self, HIDDEN, OptionValue, Options},
    store::Moment,
};

/// Bytes that an event tells of a state; a longer one is cut.
const MOST_TOLD: usize = 16 * 1024;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    Create,
    Replace,
    Delete,
    /// An entry that the store had lost was made again.
    Restore,
    /// The end of a service was moved.
    Extend,
    /// A service was ended.
    End,
    /// A number was given back by hand.
    Release,
}

/// Something that an operator did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Event {
    /// When, in ISO 8601.
    at: String,
    /// The user name shown.
    by: String,
    /// Where the request came from.
    from: Option<String>,
    /// What was done.
    action: Action,
    /// To what kind of thing.
    kind: String,
    /// To which.
    name: String,
    /// What it was before, and what it is afterwards; secrets are hidden.
    pub(super) before: Option<Value>,
    /// See [`Event::before`].
    pub(super) after: Option<Value>,
}

/// Some of the history, newest first.
#[derive(Debug, Default)]
pub struct HistoryPage {
    /// What was done.
    pub events: Vec<Value>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
}

impl Event {
    pub(super) fn new(by: &Operator, at: Moment, action: Action, kind: &str, name: &str) -> Self {
        Self {
            at: at.to_string(),
            by: by.name.clone(),
            from: by.address.map(|address| address.to_string()),
            action,
            kind: kind.to_owned(),
            name: name.to_owned(),
            before: None,
            after: None,
        }
    }

    /// The same with what an entry said before, and says afterwards.
    pub(super) fn about(self, before: Option<&Options>, after: Option<&Options>) -> Self {
        let mut told = after.map(options::hidden);
        if let (Some(before), Some(after), Some(told)) = (before, after, &mut told) {
            for (option, value) in told.iter_mut().filter(|(_, value)| is_hidden(value)) {
                if before.get(option) != after.get(option) {
                    *value = OptionValue::Text(format!("{HIDDEN} (changed)"));
                }
            }
        }
        let before = before.map(|before| cut(&options::hidden(before)));
        Self {
            before,
            after: told.map(|after| cut(&after)),
            ..self
        }
    }

    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn is_hidden(value: &OptionValue) -> bool {
    value.text() == Some(HIDDEN)
}

/// The state of an entry, no longer than a history can keep of each.
fn cut(options: &Options) -> Value {
    let text = serde_json::to_string(options).unwrap_or_default();
    if text.len() <= MOST_TOLD {
        return serde_json::to_value(options).unwrap_or_default();
    }
    let mut end = MOST_TOLD;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    serde_json::json!({"_cut": text.get(..end), "_bytes": text.len()})
}

impl Admin {
    /// The history before `before`, newest first.
    ///
    /// # Errors
    /// What the store says.
    pub async fn history(
        &self,
        before: Option<&str>,
        most: usize,
    ) -> Result<HistoryPage, AdminError> {
        let events = self.store.history(before, most).await?;
        let next = events.last().filter(|_| events.len() == most);
        let next = next.map(|event| event.place.clone());
        let told = events.iter().map(|event| {
            // One of a later version of this program is told as it is.
            serde_json::from_str(&event.text).unwrap_or_else(|_| Value::from(event.text.as_str()))
        });
        let events = told.collect();
        Ok(HistoryPage { events, next })
    }

    /// Notes what is about to be done.
    pub(super) async fn note(&self, event: &Event) -> Result<(), AdminError> {
        let Event {
            by,
            action,
            kind,
            name,
            ..
        } = event;
        info!(by, ?action, kind, name, "an operator");
        let most = self.office.settings.history_entries;
        Ok(self.store.note(&event.text(), most).await?)
    }
}
