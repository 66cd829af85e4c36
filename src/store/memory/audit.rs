//! The books of the embedded store, looked through.

use super::state::State;
use crate::store::Audit;

impl State {
    pub(super) fn audit(&self) -> Audit {
        let mut audit = Audit::default();
        for (group, books) in &self.books {
            let held = books.held(group);
            let (alive, dead): (Vec<_>, Vec<_>) =
                held.partition(|held| self.services.contains_key(&held.service));
            audit.held.extend(alive);
            audit.held_by_nobody.extend(dead);
            let lost = books
                .lost()
                .map(|number| (group.clone(), number.text.clone()));
            audit.lost.extend(lost);
        }
        audit
    }
}
