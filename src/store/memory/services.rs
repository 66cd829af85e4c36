//! The lifecycle of a service in the embedded store.

use async_trait::async_trait;

use super::{MemoryStore, state::ServiceRecord};
use crate::{
    model::{CreateResult, Description, NewService, ServiceId, StoreError, Timestamp, binaries},
    store::ServiceStore,
};

#[async_trait]
impl ServiceStore for MemoryStore {
    async fn create(&self, service: NewService) -> Result<CreateResult, StoreError> {
        let mut state = self.state();
        if let Some(record) = state.service(&service.id) {
            let replayed = record.response.clone().map(CreateResult::Replayed);
            let is_custom = service.id.is_custom();
            let data = if is_custom { service.data } else { Vec::new() };
            return Ok(replayed.unwrap_or(CreateResult::IdInUse(data)));
        }
        if !binaries(&service.data).all(|binary| state.is_uploaded(binary)) {
            return Ok(CreateResult::UploadLost);
        }
        let (claim, response) = service.idempotency.unzip();
        let record = ServiceRecord {
            definition: service.definition,
            created: service.created,
            end: service.end,
            claim,
            response,
            gms_user: service.gms_user,
            bookings: service
                .booking
                .into_iter()
                .map(|booking| (booking.group, booking.id))
                .collect(),
            webhook: service.webhook,
            is_pending: service.is_pending,
            ..ServiceRecord::default()
        };
        state.check_room_for_service(&record, &service.data)?;
        state.insert(service.id.clone(), record);
        state.set_values(&service.id, service.data);
        state.add_created_event(&service.id);
        Ok(CreateResult::Created)
    }

    async fn definition(&self, id: &ServiceId) -> Result<Option<String>, StoreError> {
        Ok(self
            .state()
            .service(id)
            .map(|record| record.definition.clone()))
    }

    async fn describe(&self, id: &ServiceId) -> Result<Option<Description>, StoreError> {
        Ok(self.state().service(id).map(ServiceRecord::describe))
    }

    async fn set_end(&self, id: &ServiceId, end: Timestamp) -> Result<Option<()>, StoreError> {
        let mut state = self.state();
        let changed = state.set_end(id, end);
        state.add_expiration_event(id);
        Ok(changed)
    }

    async fn finish_create(
        &self,
        id: &ServiceId,
        end: Timestamp,
        response: Option<&str>,
    ) -> Result<Option<()>, StoreError> {
        Ok(self.state().finish_create(id, end, response))
    }

    async fn delete(&self, id: &ServiceId) -> Result<Option<()>, StoreError> {
        Ok(self.state().delete(id))
    }
}
