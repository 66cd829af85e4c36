//! Masked phone numbers, for lists that operators read.

/// Masks a subscriber: only its last digits, its extension and, of an address, the domain remain.
pub(in crate::service) fn mask_subscriber(subscriber: &str) -> String {
    if let Some((_, domain)) = subscriber.rsplit_once('@') {
        return format!("…@{domain}");
    }
    let (number, extension) = subscriber.split_once(";ext=").unwrap_or((subscriber, ""));
    let count = number.chars().count();
    let shown = match count {
        8.. => 4,
        4.. => 2,
        _ => 0,
    };
    let last: String = number.chars().skip(count - shown).collect();
    let separator = if extension.is_empty() { "" } else { ";ext=" };
    ["…", &last, separator, extension].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_a_number_is_shown() {
        for (subscriber, masked) in [
            ("+18005550199", "…0199"),
            ("+18005550199;ext=12", "…0199;ext=12"),
            ("80055501", "…5501"),
            ("4711", "…11"),
            ("112", "…"),
            ("", "…"),
            ("alice@example.org", "…@example.org"),
            ("ünïcödé1", "…ödé1"),
        ] {
            assert_eq!(mask_subscriber(subscriber), masked);
        }
    }
}
