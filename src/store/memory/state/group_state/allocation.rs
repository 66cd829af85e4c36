//! The choice of a number and a code for a booking.

use rand::RngExt;

use super::GroupState;
use crate::model::{AccessNumber, AllocationStrategy, BookingRequest, Group, Timestamp};

/// The maximum number of codes tried for one number.
const MAX_CODES_TRIED: usize = 256;
/// The maximum number of numbers tried for a code in a shared group.
const MAX_NUMBERS_TRIED: usize = 5;

impl GroupState {
    /// Takes the number that has been free for the longest time, with a code if one is requested.
    pub(super) fn pick_exclusive(
        &mut self,
        request: &BookingRequest,
    ) -> Option<(AccessNumber, Option<String>)> {
        loop {
            let (_, _, text) = self.free.first()?.clone();
            let number = self.numbers.get(&text)?.clone();
            // The number was shared before the group became exclusive. It becomes free when it is
            // released.
            if self.by_number.contains_key(&number.subscriber) {
                self.remove_free(&text);
                continue;
            }
            let code = self.code_for(&number, request)?;
            self.remove_free(&text);
            return Some((number, code));
        }
    }

    /// Picks a number that other bookings may use too, with a code if one is requested.
    pub(super) fn pick_shared(
        &mut self,
        group: &Group,
        request: &BookingRequest,
        now: Timestamp,
    ) -> Option<(AccessNumber, Option<String>)> {
        for _ in 0..MAX_NUMBERS_TRIED {
            let text = match group.strategy {
                AllocationStrategy::Random if !self.order.is_empty() => {
                    self.order[rand::rng().random_range(0..self.order.len())].clone()
                }
                _ => self.free.first()?.2.clone(),
            };
            self.add_free(&text, now.millis());
            let number = self.numbers.get(&text)?.clone();
            if let Some(code) = self.code_for(&number, request) {
                return Some((number, code));
            }
        }
        None
    }

    /// Finds a code that no other booking of the number uses; the outer `None` means that there is none.
    #[expect(
        clippy::option_option,
        reason = "no code requested differs from no code free"
    )]
    pub(super) fn code_for(
        &self,
        number: &AccessNumber,
        request: &BookingRequest,
    ) -> Option<Option<String>> {
        let Some(codes) = &request.codes else {
            return Some(None);
        };
        let taken = |code: &String| {
            let key = (number.subscriber.clone(), code.clone());
            self.by_code.contains_key(&key)
        };
        let mut candidates = codes.candidates(MAX_CODES_TRIED).into_iter();
        candidates.find(|code| !taken(code)).map(Some)
    }
}
