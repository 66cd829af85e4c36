//! Resource groups: named sets of access numbers in the catalog.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use super::{
    CatalogContext,
    definition::DefinitionError,
    options::{
        self, ALLOCATION_STRATEGIES, BOOKING_TIMEOUT_RANGE, DEFAULT_BOOKING_TIMEOUT,
        MAX_NUMBER_BYTES, OptionValue, Options,
    },
    parse_value::parse_integer,
    phone_numbers::PhoneNumbers,
    webhooks::{WebhookConfig, take_webhook},
};
use crate::model::{AccessNumber, AllocationStrategy, Group, stable_hash, webhook::EventTypes};

/// A configured resource group.
#[derive(Debug, Clone)]
pub(super) struct ResourceGroup {
    pub(super) group: Arc<Group>,
    /// The default booking timeout.
    pub(super) timeout: Duration,
    /// The maximum booking timeout of requests, in seconds.
    pub(super) max_requested_timeout: u64,
    /// The configured services that can use the group; `None` for all.
    pub(super) services: Option<BTreeSet<String>>,
    /// The webhook of the group.
    pub(super) webhook: Option<Arc<WebhookConfig>>,
}

/// All groups, by name and by number.
#[derive(Debug, Clone, Default)]
pub(super) struct ResourceGroups {
    groups: BTreeMap<String, ResourceGroup>,
    by_subscriber: HashMap<String, Vec<String>>,
    /// Deleted groups, of which numbers may still be booked.
    retired: Vec<String>,
    /// The webhooks of deleted groups.
    retired_webhooks: BTreeMap<String, Arc<WebhookConfig>>,
}

impl ResourceGroups {
    pub(super) fn get(&self, name: &str) -> Option<&ResourceGroup> {
        self.groups.get(name)
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = &Arc<Group>> {
        self.groups.values().map(|resources| &resources.group)
    }

    /// The names of all groups, for messages.
    pub(super) fn names(&self) -> String {
        let names: Vec<_> = self.groups.keys().map(String::as_str).collect();
        names.join(", ")
    }

    /// The webhooks of the groups, also of deleted ones, by name.
    pub(super) fn webhooks(&self) -> impl Iterator<Item = (&String, &Arc<WebhookConfig>)> {
        let groups = self.groups.iter();
        let current =
            groups.filter_map(|(name, resources)| Some((name, resources.webhook.as_ref()?)));
        current.chain(&self.retired_webhooks)
    }

    /// Adds a deleted group and its webhook.
    pub(super) fn retire(&mut self, name: &str, webhook: Option<WebhookConfig>) {
        if !self.groups.contains_key(name) {
            self.retired.push(name.to_owned());
            let webhook = webhook.map(|webhook| (name.to_owned(), Arc::new(webhook)));
            self.retired_webhooks.extend(webhook);
        }
    }

    /// Deleted groups, of which numbers may still be booked.
    pub(super) fn retired(&self) -> &[String] {
        &self.retired
    }

    /// The names of the groups that have a number.
    pub(super) fn with_number(&self, subscriber: &str) -> &[String] {
        let names = self.by_subscriber.get(subscriber);
        names.map(Vec::as_slice).unwrap_or_default()
    }

    /// The groups that have a number, and all other groups, in which it can still be booked from before a change of
    /// the catalog: first the deleted ones.
    pub(super) fn partition_by_number(&self, subscriber: &str) -> (Vec<String>, Vec<String>) {
        let current = self.with_number(subscriber).to_vec();
        let others = self.groups.keys().filter(|name| !current.contains(name));
        let others = self.retired.iter().chain(others).cloned().collect();
        (current, others)
    }

    /// Another group that books the number exclusively.
    fn exclusive_group_of(&self, number: &AccessNumber) -> Option<&str> {
        let groups = self.with_number(&number.subscriber);
        let is_exclusive = |name: &&String| {
            self.groups.get(*name).is_some_and(|resources| {
                let backup = resources.group.backup.as_ref();
                let own = backup.is_none_or(|backup| backup.subscriber != number.subscriber);
                own && resources.group.strategy == AllocationStrategy::Exclusive
            })
        };
        groups.iter().find(is_exclusive).map(String::as_str)
    }

    /// Adds the group `name` with its options and, under `numbers`, its numbers.
    pub(super) fn add(
        &mut self,
        name: &str,
        table: Options,
        context: &CatalogContext,
    ) -> Result<(), DefinitionError> {
        let resources = parse_group(name, table, context)?;
        let group = &resources.group;
        let is_exclusive = group.strategy == AllocationStrategy::Exclusive;
        let conflicts = group.numbers.iter().filter(|_| is_exclusive);
        let conflicts =
            conflicts.filter_map(|number| Some((number, self.exclusive_group_of(number)?)));
        if let Some((number, other)) = conflicts.into_iter().next() {
            return Err(DefinitionError {
                kind: "resource group",
                name: name.to_owned(),
                option: "numbers".to_owned(),
                problem: format!(
                    "{:?} is also in {other:?}, and both groups book numbers exclusively",
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

/// Parses only the webhook of a group.
///
/// # Errors
/// A [`DefinitionError`] for an option of the webhook.
pub(super) fn parse_group_webhook(
    name: &str,
    table: Options,
    context: &CatalogContext,
) -> Result<Option<WebhookConfig>, DefinitionError> {
    let texts = table.into_iter().filter_map(|(option, value)| match value {
        OptionValue::Text(text) => Some((option, text)),
        OptionValue::List(_) => None,
    });
    let webhook = take_webhook(
        &mut texts.collect(),
        EventTypes::of_numbers(),
        context.webhooks,
    );
    webhook.map_err(|(option, problem)| DefinitionError {
        kind: "resource group",
        name: name.to_owned(),
        option,
        problem,
    })
}

fn parse_group(
    name: &str,
    mut table: Options,
    context: &CatalogContext,
) -> Result<ResourceGroup, DefinitionError> {
    let fail = |option: &str, problem: String| DefinitionError {
        kind: "resource group",
        name: name.to_owned(),
        option: option.to_owned(),
        problem,
    };
    let phone_numbers = context.phone_numbers;
    let number_list = table.remove("numbers");
    let mut options = BTreeMap::new();
    for (option, value) in table {
        if !value.is_empty() && !options::is_group_option(&option) {
            return Err(fail(&option, unknown_option(&option)));
        }
        let OptionValue::Text(text) = value else {
            return Err(fail(&option, "expected a string".to_owned()));
        };
        if !text.is_empty() {
            options.insert(option, text);
        }
    }
    let checked = options::check_group(&options);
    checked.map_err(|(option, problem)| fail(&option, problem))?;
    let webhook = take_webhook(&mut options, EventTypes::of_numbers(), context.webhooks);
    let webhook = webhook.map_err(|(option, problem)| fail(&option, problem))?;
    let strategy = match options.get("_allocation_strategy").map(String::as_str) {
        Some("RANDOM") => AllocationStrategy::Random,
        Some("ROUND_ROBIN") => AllocationStrategy::RoundRobin,
        Some("CLUSTER" | "LOCAL") => AllocationStrategy::Exclusive,
        other => {
            let (value, allowed) = (other.unwrap_or_default(), ALLOCATION_STRATEGIES.join(", "));
            let problem = format!("is {value:?}, expected one of {allowed}");
            return Err(fail("_allocation_strategy", problem));
        }
    };
    let seconds = |option: &str| options.get(option).and_then(|text| parse_integer(text));
    let timeout = seconds("_booking_expiration_timeout");
    let max_requested_timeout =
        seconds("_max_booking_expiration_timeout").unwrap_or(BOOKING_TIMEOUT_RANGE.1);
    let services = options.get("_services").map(|list| parse_names(list));
    let number = |text: String| {
        let subscriber = phone_numbers.subscriber(&text);
        let is_valid = (1..=MAX_NUMBER_BYTES).contains(&text.len())
            && !text.chars().any(char::is_control)
            && !subscriber.is_empty();
        is_valid.then_some(AccessNumber { text, subscriber })
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
    let Some(OptionValue::List(number_list)) = number_list else {
        return Err(fail("numbers", "expected a list of strings".to_owned()));
    };
    let mut numbers = Vec::with_capacity(number_list.len());
    let mut spellings = HashMap::with_capacity(number_list.len());
    for text in number_list {
        let number = number(text).ok_or_else(|| {
            fail(
                "numbers",
                format!("expected numbers of 1 to {MAX_NUMBER_BYTES} bytes"),
            )
        })?;
        if let Some(other_spelling) =
            spellings.insert(number.subscriber.clone(), number.text.clone())
        {
            let problem = format!(
                "{other_spelling:?} and {:?} are the same subscriber",
                number.text
            );
            return Err(fail("numbers", problem));
        }
        numbers.push(number);
    }
    if let Some(backup) = &backup
        && spellings.contains_key(&backup.subscriber)
    {
        let problem = format!("{:?} is also one of the numbers of the group", backup.text);
        return Err(fail("_backup_resource", problem));
    }
    Ok(ResourceGroup {
        group: Arc::new(Group {
            name: name.to_owned(),
            strategy,
            version: numbers_version(&numbers, strategy, phone_numbers),
            numbers,
            backup,
        }),
        timeout: Duration::from_secs(timeout.unwrap_or(DEFAULT_BOOKING_TIMEOUT)),
        max_requested_timeout,
        services,
        webhook: webhook.map(Arc::new),
    })
}

/// The names in a comma-separated list.
fn parse_names(list: &str) -> BTreeSet<String> {
    let names = list.split(',').map(str::trim);
    let names = names.filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

/// The problem of an unknown option.
fn unknown_option(option: &str) -> String {
    let names = options::group_option_names();
    match options::suggested_for_group(option) {
        Some(suggestion) => {
            format!("is unknown, expected one of {names}; did you mean {suggestion}?")
        }
        None => format!("is unknown, expected one of {names}"),
    }
}

/// The version of a set of numbers and of whether they are shared. It ends with `@` and the region under which they were
/// parsed.
fn numbers_version(
    numbers: &[AccessNumber],
    strategy: AllocationStrategy,
    phone_numbers: PhoneNumbers,
) -> String {
    let mut all = String::new();
    for number in numbers {
        all.push_str(&number.text);
        all.push('\n');
        all.push_str(&number.subscriber);
        all.push('\n');
    }
    let (hash, region) = (stable_hash(all.as_bytes()), phone_numbers.region());
    let shared = match strategy {
        AllocationStrategy::Exclusive => "",
        AllocationStrategy::Random | AllocationStrategy::RoundRobin => "-shared",
    };
    format!("{hash:016x}-{}{shared}@{region}", numbers.len())
}
