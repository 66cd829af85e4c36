//! The notice of a saved catalog: where it is active.

use crate::service::{Admin, CatalogActivation};

/// Where the stored catalog is active, as the end of a notice; empty while the store is unavailable.
pub(super) async fn describe_activation(admin: &Admin) -> String {
    let activation = admin.catalog_activation().await;
    activation.map_or_else(|_error| String::new(), describe)
}

fn describe(activation: CatalogActivation) -> String {
    let CatalogActivation {
        is_active_here,
        active,
        replicas,
    } = activation;
    if !is_active_here {
        return " Not active on this replica yet; reload the page to see when it is.".to_owned();
    }
    if active == replicas {
        return match replicas {
            1 => " Active on this replica.".to_owned(),
            _ => format!(" Active on all {replicas} replicas."),
        };
    }
    format!(
        " Active on this replica, and on {active} of {replicas} in all; others follow within a second or, if they miss the \
         notification, within catalog.poll_seconds. Reload the page to see when they have."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notice_says_what_is_known() {
        for (is_active_here, active, replicas, text) in [
            (true, 1, 1, " Active on this replica."),
            (true, 3, 3, " Active on all 3 replicas."),
            (true, 1, 3, " Active on this replica, and on 1 of 3 in all;"),
            (false, 2, 3, " Not active on this replica yet;"),
        ] {
            let notice = describe(CatalogActivation {
                is_active_here,
                active,
                replicas,
            });
            assert!(notice.starts_with(text), "{notice}");
        }
    }
}
