//! The response to a create: a JSON object of strings, `_id` first.

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{ServiceError, builtin::Builtin, chat::chat_path};
use crate::model::{Booking, ServiceId, StoreError};

/// The members of a response, in their order.
#[derive(Debug, Default)]
pub(super) struct CreateResponseBody {
    members: Vec<(&'static str, String)>,
    user_data: Option<Vec<(String, String)>>,
}

impl CreateResponseBody {
    /// A response that begins with `_id`.
    pub(super) fn new(id: &ServiceId) -> Self {
        Self::default().with("_id", id.to_string())
    }

    /// The response to a create that books no number: the id, and for a chat the path of its start.
    pub(super) fn of_create(id: &ServiceId, builtin: Builtin) -> Self {
        match builtin {
            _ if id.is_storage_area() => Self::default().with("id", id.to_string()),
            Builtin::RequestChat => Self::new(id).with("_chatIxnAPI-CREATE-URL", chat_path(id)),
            _ => Self::new(id),
        }
    }

    /// Adds a member.
    pub(super) fn with(mut self, name: &'static str, value: String) -> Self {
        self.members.push((name, value));
        self
    }

    /// Adds the data of a booking: number, access code, expiration and pool usage.
    pub(super) fn with_booking(mut self, booking: &Booking) -> Self {
        self = self.with("_access_number", booking.number.clone());
        if let Some(code) = &booking.code {
            self = self.with("_access_code", code.clone());
        }
        // 4.999 s are rounded up to 5, the requested value.
        let seconds = booking.expires_in.as_millis().div_ceil(1_000);
        self = self.with("_expiration_time", seconds.to_string());
        if let Some(pool) = booking.pool {
            self = self.with("_pool_size", pool.size.to_string());
            self = self.with("_pool_free", pool.free.to_string());
        }
        self
    }

    /// Adds `_user_data`.
    pub(super) fn with_user_data(mut self, data: Vec<(String, String)>) -> Self {
        self.user_data = Some(data);
        self
    }

    /// The JSON text.
    pub(super) fn to_json(&self) -> Result<String, ServiceError> {
        let text = serde_json::to_string(self);
        Ok(text.map_err(|error| StoreError::Bug(error.to_string()))?)
    }
}

impl Serialize for CreateResponseBody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in &self.members {
            map.serialize_entry(name, value)?;
        }
        if let Some(data) = &self.user_data {
            map.serialize_entry("_user_data", &UserData(data))?;
        }
        map.end()
    }
}

struct UserData<'a>(&'a [(String, String)]);

impl Serialize for UserData<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}
