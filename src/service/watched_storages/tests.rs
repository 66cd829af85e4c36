use super::*;

const TEXT_BYTES: usize = 1_000;

fn contents(memory: &MemoryBudget, revision: u64, keys: usize) -> StorageStrings {
    let text = |n: usize| {
        (
            format!("Key{n}"),
            format!("{revision}{}", "x".repeat(TEXT_BYTES)),
        )
    };
    StorageStrings {
        revision: Revision::new(revision),
        pairs: (0..keys).map(text).collect(),
        binaries: Vec::new(),
        memory: memory.reserve(keys * TEXT_BYTES).unwrap(),
    }
}

fn kinds(state: &WatchState) -> Vec<StorageEventKind> {
    state.events.iter().map(|event| event.kind).collect()
}

#[test]
fn superseded_snapshots_release_their_memory() {
    let memory = MemoryBudget::new("limits.test", 10_000_000);
    let mut state = WatchState::default();
    // With the second number of keys there are no hashes.
    for (keys, expected) in [
        (2, StorageEventKind::Change),
        (500, StorageEventKind::Snapshot),
    ] {
        for revision in 1..4 {
            let contents = contents(&memory, 10 * keys as u64 + revision, keys);
            state.update(&contents, &memory).unwrap();
            if state.event_after(Some(Revision::new(1))).is_none() {
                drop(state.snapshot(contents).unwrap());
            }
        }
        let snapshots = kinds(&state).into_iter();
        let snapshots = snapshots.filter(|kind| *kind == StorageEventKind::Snapshot);
        assert_eq!(snapshots.count(), 1);
        assert_eq!(kinds(&state)[0], expected);
    }
    assert!(memory.used() < 2 * 500 * TEXT_BYTES);
}

#[test]
fn kept_changes_have_a_maximum_size() {
    let memory = MemoryBudget::new("limits.test", 10_000_000);
    let mut state = WatchState::default();
    for revision in 1..40 {
        let contents = contents(&memory, revision, 90);
        state.update(&contents, &memory).unwrap();
    }
    assert!((2..=MAX_EVENTS).contains(&state.events.len()));
    assert!(memory.used() <= MAX_EVENT_BYTES);
}

#[test]
fn an_older_revision_is_a_failure_until_it_lasts() {
    let memory = MemoryBudget::new("limits.test", 10_000_000);
    let (mut state, id) = (WatchState::default(), ServiceId::generate());
    for revision in [5, 7] {
        state
            .update(&contents(&memory, revision, 1), &memory)
            .unwrap();
    }
    state.set_current(1);
    let older = contents(&memory, 6, 1);
    let error = state.update(&older, &memory).unwrap_err();
    state.set_failed(2, &error);
    assert_eq!(state.revision(), Some(Revision::new(7)));
    // One watcher reads again later; the others wait, even new ones.
    assert!(state.failure(&id, 2, true).is_some() && !state.is_current(2));
    state.stale_since = Instant::now().checked_sub(MAX_STALE);
    state.update(&older, &memory).unwrap();
    state.set_current(2);
    assert_eq!(state.revision(), Some(Revision::new(6)));
    assert_eq!(kinds(&state), []);
}

#[test]
fn watchers_share_the_end_of_a_service() {
    let (mut state, id) = (WatchState::default(), ServiceId::generate());
    state.set_failed(3, &ServiceError::NoSuchService(id.clone()));
    let failure = state.failure(&id, 3, false);
    assert!(matches!(failure, Some(ServiceError::NoSuchService(_))));
    // The service can be there again after another change, and for a new watcher.
    assert!(state.failure(&id, 4, false).is_none());
    assert!(state.failure(&id, 3, true).is_none());
}
