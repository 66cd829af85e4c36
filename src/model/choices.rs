//! Lists of choices in messages.

use std::fmt::Display;

/// Joins choices with commas and "or".
pub(crate) fn join_with_or(choices: &[impl Display]) -> String {
    let mut all = String::new();
    for (index, choice) in choices.iter().enumerate() {
        let separator = match choices.len() - index {
            _ if index == 0 => "",
            1 => " or ",
            _ => ", ",
        };
        all += &format!("{separator}{choice}");
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_two_choices_are_joined_with_or() {
        assert_eq!(join_with_or(&["a"]), "a");
        assert_eq!(join_with_or(&["a", "b"]), "a or b");
        assert_eq!(join_with_or(&["a", "b", "c"]), "a, b or c");
    }
}
