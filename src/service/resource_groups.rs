//! Resource groups: named sets of access numbers, from the catalogue.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use super::{
    definition::DefinitionError,
    options::{OptionValue, Options},
    parameters::parse_integer,
    phone_numbers::PhoneNumbers,
    schema::{
        self, ALLOCATION_STRATEGIES, BOOKING_TIMEOUT_RANGE, DEFAULT_BOOKING_TIMEOUT,
        MAX_NUMBER_BYTES,
    },
};
use crate::store::{AccessNumber, AllocationStrategy, Group, stable_hash};

/// A resource group as it is configured.
#[derive(Debug, Clone)]
pub(super) struct ResourceGroup {
    pub(super) group: Arc<Group>,
    /// How long its numbers are held where neither request nor service says.
    pub(super) timeout: Duration,
    /// The longest time, in seconds, that a request may ask for.
    pub(super) max_requested_timeout: u64,
    /// The configured services that may take numbers, where the group says.
    pub(super) services: Option<BTreeSet<String>>,
}

/// All groups, by name and by number.
#[derive(Debug, Clone, Default)]
pub(super) struct ResourceGroups {
    groups: BTreeMap<String, ResourceGroup>,
    by_subscriber: HashMap<String, Vec<String>>,
    /// Groups that were deleted and of which numbers may still be held.
    retired: Vec<String>,
}

impl ResourceGroups {
    pub(super) fn get(&self, name: &str) -> Option<&ResourceGroup> {
        self.groups.get(name)
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = &Arc<Group>> {
        self.groups.values().map(|resources| &resources.group)
    }

    /// Names of all groups, for people.
    pub(super) fn names(&self) -> String {
        let names: Vec<_> = self.groups.keys().map(String::as_str).collect();
        names.join(", ")
    }

    /// Keeps in mind that there was a group of this name.
    pub(super) fn retire(&mut self, name: &str) {
        if !self.groups.contains_key(name) {
            self.retired.push(name.to_owned());
        }
    }

    /// Groups that were deleted and of which numbers may still be held.
    pub(super) fn retired(&self) -> &[String] {
        &self.retired
    }

    /// The groups that have a number today; and all others, where it may still be booked from before
    /// the catalogue was changed.
    pub(super) fn partition_by_number(&self, subscriber: &str) -> (Vec<String>, Vec<String>) {
        let known = self.by_subscriber.get(subscriber);
        let known = known.cloned().unwrap_or_default();
        let others = self.groups.keys().filter(|name| !known.contains(name));
        let others = others.chain(&self.retired).cloned().collect();
        (known, others)
    }

    /// Another group that holds a number for one service at a time.
    fn exclusive_group_of(&self, number: &AccessNumber) -> Option<&str> {
        let groups = self.by_subscriber.get(&number.subscriber)?;
        let holds = |name: &&String| {
            self.groups.get(*name).is_some_and(|found| {
                let backup = found.group.backup.as_ref();
                let own = backup.is_none_or(|backup| backup.subscriber != number.subscriber);
                own && found.group.strategy == AllocationStrategy::Exclusive
            })
        };
        groups.iter().find(holds).map(String::as_str)
    }

    /// Adds the group `name` with its options and, under `numbers`, its numbers.
    pub(super) fn add(
        &mut self,
        name: &str,
        table: Options,
        numbering: PhoneNumbers,
    ) -> Result<(), DefinitionError> {
        let resources = parse_group(name, table, numbering)?;
        let group = &resources.group;
        let exclusive = group.strategy == AllocationStrategy::Exclusive;
        let twice = group.numbers.iter().filter(|_| exclusive);
        let twice = twice.filter_map(|number| Some((number, self.exclusive_group_of(number)?)));
        if let Some((number, other)) = twice.into_iter().next() {
            return Err(DefinitionError {
                kind: "resource group",
                name: name.to_owned(),
                option: "numbers".to_owned(),
                problem: format!(
                    "{:?} is in {other:?} as well; both hold a number for one service at a time",
                    number.text
                ),
            });
        }
        for number in group.numbers.iter().chain(&group.backup) {
            let groups = self
                .by_subscriber
                .entry(number.subscriber.clone())
                .or_default();
            if groups.last().is_none_or(|last| last != name) {
                groups.push(name.to_owned());
            }
        }
        self.groups.insert(name.to_owned(), resources);
        Ok(())
    }
}

fn parse_group(
    name: &str,
    mut table: Options,
    numbering: PhoneNumbers,
) -> Result<ResourceGroup, DefinitionError> {
    let fail = |option: &str, problem: String| DefinitionError {
        kind: "resource group",
        name: name.to_owned(),
        option: option.to_owned(),
        problem,
    };
    let listed = table.remove("numbers");
    let mut options = BTreeMap::new();
    for (option, value) in table {
        if !value.is_empty() && !schema::is_group_option(&option) {
            return Err(fail(&option, unknown_option(&option)));
        }
        let OptionValue::Text(text) = value else {
            return Err(fail(&option, "expected a string".to_owned()));
        };
        if !text.is_empty() {
            options.insert(option, text);
        }
    }
    let checked = schema::check_group(&options);
    checked.map_err(|(option, problem)| fail(&option, problem))?;
    let strategy = match options.get("_allocation_strategy").map(String::as_str) {
        Some("RANDOM") => AllocationStrategy::Random,
        Some("ROUND_ROBIN") => AllocationStrategy::RoundRobin,
        Some("CLUSTER" | "LOCAL") => AllocationStrategy::Exclusive,
        other => {
            let (is, known) = (other.unwrap_or_default(), ALLOCATION_STRATEGIES.join(", "));
            let problem = format!("is {is:?}, expected one of {known}");
            return Err(fail("_allocation_strategy", problem));
        }
    };
    let seconds = |option: &str| options.get(option).and_then(|text| parse_integer(text));
    let timeout = seconds("_booking_expiration_timeout");
    let max_requested_timeout =
        seconds("_max_booking_expiration_timeout").unwrap_or(BOOKING_TIMEOUT_RANGE.1);
    let services = options.get("_services").map(|listed| {
        let names = listed.split(',').map(str::trim);
        let names = names.filter(|name| !name.is_empty());
        names.map(str::to_owned).collect()
    });
    let number = |text: String| {
        let subscriber = numbering.subscriber(&text);
        let allowed = (1..=MAX_NUMBER_BYTES).contains(&text.len())
            && !text.chars().any(char::is_control)
            && !subscriber.is_empty();
        allowed.then_some(AccessNumber { text, subscriber })
    };
    let backup = match options.remove("_backup_resource") {
        Some(text) => Some(number(text).ok_or_else(|| {
            fail(
                "_backup_resource",
                format!("expected a number of 1 to {MAX_NUMBER_BYTES} bytes"),
            )
        })?),
        None => None,
    };
    let Some(OptionValue::List(listed)) = listed else {
        return Err(fail("numbers", "expected a list of strings".to_owned()));
    };
    let mut numbers = Vec::with_capacity(listed.len());
    let mut seen = HashMap::with_capacity(listed.len());
    for text in listed {
        let number = number(text).ok_or_else(|| {
            fail(
                "numbers",
                format!("expected numbers of 1 to {MAX_NUMBER_BYTES} bytes"),
            )
        })?;
        if let Some(before) = seen.insert(number.subscriber.clone(), number.text.clone()) {
            let problem = format!("{before:?} and {:?} are one subscriber", number.text);
            return Err(fail("numbers", problem));
        }
        numbers.push(number);
    }
    if let Some(backup) = &backup
        && seen.contains_key(&backup.subscriber)
    {
        let problem = format!("{:?} is one of the group's own numbers", backup.text);
        return Err(fail("_backup_resource", problem));
    }
    Ok(ResourceGroup {
        group: Arc::new(Group {
            name: name.to_owned(),
            strategy,
            version: numbers_version(&numbers, numbering),
            numbers,
            backup,
        }),
        timeout: Duration::from_secs(timeout.unwrap_or(DEFAULT_BOOKING_TIMEOUT)),
        max_requested_timeout,
        services,
    })
}

/// What is wrong with an option that no resource group has.
fn unknown_option(option: &str) -> String {
    let known = schema::group_option_names();
    match schema::suggested_for_group(option) {
        Some(meant) => format!("is unknown, expected one of {known}; did you mean {meant}?"),
        None => format!("is unknown, expected one of {known}"),
    }
}

/// Distinguishes one set of numbers from another. It ends with `@` and the region under which they were read.
fn numbers_version(numbers: &[AccessNumber], numbering: PhoneNumbers) -> String {
    let mut all = String::new();
    for number in numbers {
        all.push_str(&number.text);
        all.push('\n');
        all.push_str(&number.subscriber);
        all.push('\n');
    }
    let (hash, region) = (stable_hash(all.as_bytes()), numbering.region());
    format!("{hash:016x}-{}@{region}", numbers.len())
}
