//! Quarantined numbers of resource groups, which bookings do not take.

use std::sync::Arc;

use super::{
    Actor, Admin, AdminError,
    audit_log::{AuditAction, AuditRecord},
};
use crate::{
    model::{
        AccessNumber, Cursor, Group, ListRange, Page, Quarantine, QuarantinedNumber, StoreError,
        Table,
    },
    service::ServiceError,
};

impl Admin {
    /// The quarantined numbers of a group in the order of their quarantine.
    ///
    /// # Errors
    /// [`AdminError::NoSuchEntry`]; [`AdminError::Service`] for errors of the store.
    pub async fn quarantined_numbers(
        &self,
        group: &str,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<QuarantinedNumber>, AdminError> {
        self.require_group(group)?;
        let numbers = self.store.quarantined_numbers(group).await?.into_iter();
        let mut entries = ListRange::after(after).select(numbers, |listed| {
            (listed.quarantine.since, listed.number.as_str())
        });
        let has_more = entries.len() > limit;
        entries.truncate(limit);
        let next = entries.last().filter(|_| has_more).map(|last| Cursor {
            end: last.quarantine.since,
            name: last.number.clone(),
        });
        Ok(Page { entries, next })
    }

    /// Quarantines a number, given in any notation. An existing quarantine remains as it is: then the result is `false`.
    /// The change can still fail after the audit log entry is written.
    ///
    /// # Errors
    /// [`AdminError::NoSuchEntry`], [`AdminError::NoSuchNumber`]; [`AdminError::Service`] for an invalid number, the
    /// backup number, and errors of the store.
    pub async fn quarantine_number(
        &self,
        group: &str,
        number: &str,
        by: &Actor,
    ) -> Result<bool, AdminError> {
        let (group, number) = self.number_of_group(group, number)?;
        if self.quarantine_of(&group, &number).await?.is_some() {
            return Ok(false);
        }
        let event = self.number_event(by, AuditAction::Quarantine, &group, &number)?;
        self.append_audit_event(&event).await?;
        let exists = self
            .store
            .quarantine_number(&group, &number, &by.name)
            .await?;
        if exists {
            return Ok(true);
        }
        Err(AdminError::NoSuchNumber(group.name.clone(), number.text))
    }

    /// Ends the quarantine of a number, given in any notation. The change can still fail after the audit log entry is
    /// written.
    ///
    /// # Errors
    /// As [`quarantine_number`](Self::quarantine_number), and [`AdminError::NotQuarantined`].
    pub async fn end_quarantine(
        &self,
        group: &str,
        number: &str,
        by: &Actor,
    ) -> Result<(), AdminError> {
        let (group, number) = self.number_of_group(group, number)?;
        let not_quarantined =
            || AdminError::NotQuarantined(group.name.clone(), number.text.clone());
        let quarantine = self.quarantine_of(&group, &number).await?;
        let quarantine = quarantine.ok_or_else(not_quarantined)?;
        let mut event = self.number_event(by, AuditAction::EndQuarantine, &group, &number)?;
        event.before = Some(serde_json::json!({
            "quarantined_by": quarantine.by,
            "quarantined_since": quarantine.since.to_string(),
        }));
        self.append_audit_event(&event).await?;
        if self.store.end_quarantine(&group, &number).await? {
            return Ok(());
        }
        Err(not_quarantined())
    }

    fn number_event(
        &self,
        by: &Actor,
        action: AuditAction,
        group: &Group,
        number: &AccessNumber,
    ) -> Result<AuditRecord, StoreError> {
        let name = format!("{}/{}", group.name, number.text);
        Ok(AuditRecord::new(
            by,
            self.store.now()?,
            action,
            "number",
            &name,
        ))
    }

    async fn quarantine_of(
        &self,
        group: &Group,
        number: &AccessNumber,
    ) -> Result<Option<Quarantine>, StoreError> {
        let numbers = std::slice::from_ref(number);
        let mut states = self.store.number_states(&group.name, numbers).await?;
        Ok(states.pop().and_then(|state| state.quarantine))
    }

    /// The active group, and its number that this is a spelling of.
    fn number_of_group(
        &self,
        group: &str,
        number: &str,
    ) -> Result<(Arc<Group>, AccessNumber), AdminError> {
        let catalog = self.context.current_catalog.load();
        let Some(configured) = catalog.resource_group(group) else {
            return Err(AdminError::NoSuchEntry(Table::Resources, group.to_owned()));
        };
        let group = Arc::clone(&configured.group);
        let subscriber = self.subscriber_of(number)?;
        let backup = group.backup.as_ref();
        if backup.is_some_and(|backup| backup.subscriber == subscriber) {
            let message = format!(
                "number is {number:?}, the backup number of the group, which cannot be quarantined; expected one of \
                 its numbers"
            );
            return Err(ServiceError::InvalidParameter(message).into());
        }
        let mut numbers = group.numbers.iter();
        let found = numbers.find(|one| one.subscriber == subscriber).cloned();
        match found {
            Some(found) => Ok((group, found)),
            None => Err(AdminError::NoSuchNumber(
                group.name.clone(),
                number.to_owned(),
            )),
        }
    }
}
