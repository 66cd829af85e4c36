//! The options of a preset, and the preset of a configured service.

use super::*;

#[test]
fn options_are_sorted_by_importance_and_include_fixed_ones() {
    for preset in presets() {
        let options = preset.options(MAX_TTL_SECONDS);
        assert!(options.is_sorted_by_key(|option| option.importance));
        for (name, _) in preset.fixed {
            let option = options.iter().find(|option| option.name == *name);
            assert_eq!(option.unwrap().importance, Importance::Mandatory);
        }
        let names: BTreeSet<_> = options.iter().map(|option| option.name).collect();
        assert_eq!(names.len(), options.len(), "{}", preset.name);
        assert!(options.iter().all(|option| option.description.len() > 20));
    }
}

#[test]
fn the_preset_of_a_configured_service_is_found() {
    for preset in presets() {
        let options = preset_options(preset, |importance| importance == Importance::Mandatory);
        assert_eq!(preset_name(options), Some(preset.name));
    }
    let older = [("_type", "builtin"), ("_service", "app-to-connect-basic")];
    assert_eq!(
        preset_name(text_options(&older)),
        Some("request-interaction")
    );
    let soap = [("_type", "soap"), ("_service", "store")];
    for unknown in [&soap[..], &[("_type", "builtin")], &[("_service", "store")]] {
        assert_eq!(preset_name(text_options(unknown)), None);
    }
}

fn text_options(text_options: &[(&str, &str)]) -> BTreeMap<String, String> {
    let text_options = text_options.iter();
    let text_options = text_options.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    text_options.collect()
}

fn preset_name(options: BTreeMap<String, String>) -> Option<&'static str> {
    let options = options.into_iter();
    let options: Options = options
        .map(|(name, value)| (name, OptionValue::Text(value)))
        .collect();
    preset_of(&options).map(|preset| preset.name)
}
