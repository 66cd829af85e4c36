//! The list of active services of the embedded store.

use async_trait::async_trait;

use super::{MemoryStore, state::ServiceRecord};
use crate::{
    model::{Cursor, ListedService, ServiceId, ServicePage, ServiceQuery, StoreError},
    store::ServiceList,
};

fn listed(id: &ServiceId, record: &ServiceRecord) -> ListedService {
    ListedService {
        id: id.clone(),
        definition: record.definition.clone(),
        created: record.created,
        end: record.end,
        gms_user: record.gms_user.clone(),
    }
}

#[async_trait]
impl ServiceList for MemoryStore {
    async fn count_services(&self) -> Result<u64, StoreError> {
        Ok(self.state().services.len() as u64)
    }

    async fn services_by_end(&self, query: &ServiceQuery) -> Result<ServicePage, StoreError> {
        let state = self.state();
        let selected = query.range.select(state.services.iter(), |(id, record)| {
            (record.end, id.as_str())
        });
        let entries = selected.into_iter().map(|(id, record)| {
            let position = Cursor {
                end: record.end,
                name: id.as_str().to_owned(),
            };
            (position, Some(listed(id, record)))
        });
        let mut page = ServicePage::default();
        page.extend(query, entries, false);
        Ok(page)
    }

    async fn services_by_id(&self, ids: &[ServiceId]) -> Result<Vec<ListedService>, StoreError> {
        let state = self.state();
        let services = ids
            .iter()
            .filter_map(|id| Some(listed(id, state.service(id)?)));
        Ok(services.collect())
    }
}
