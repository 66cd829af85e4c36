use super::*;

#[test]
fn every_declared_error_is_in_the_table() {
    let settings = crate::settings::Settings::defaults().unwrap();
    for (client, matching) in [(true, true), (true, false), (false, true)] {
        let surface = ApiSurface {
            groups: crate::settings::RouteGroups {
                client,
                storage: client,
                matching,
                agent: true,
                admin: true,
            },
            limits: std::sync::Arc::new(settings.limits.clone()),
            metrics_enabled: true,
            admin_enabled: true,
            agents_enabled: true,
            has_api_keys: false,
            unreadable_json_status: 500,
        };
        let mut document = surface.document(crate::http::routes::documents);
        for operation in operations_mut(&mut document) {
            for status in operation.responses.responses.keys() {
                assert!(
                    status.parse::<u16>().is_ok(),
                    "{:?}: {status}",
                    operation.operation_id
                );
            }
        }
    }
}
