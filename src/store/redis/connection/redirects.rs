//! Resolves the server of a redirection.

use std::sync::Arc;

use redis::ConnectionAddr;

use super::{ClusterState, node::Node, topology::host_or_responder};
use crate::model::StoreError;

impl ClusterState {
    /// Returns the server `host:port` of a redirection by `responder`. An empty host is that of the
    /// responder.
    pub(super) fn node_for_redirect(
        &self,
        to: &str,
        responder: &Node,
    ) -> Result<Arc<Node>, StoreError> {
        let address = || -> Option<ConnectionAddr> {
            let (host, port) = to.rsplit_once(':')?;
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let host = host_or_responder(host, &responder.address);
            Some(self.connector.address(host, port.parse().ok()?))
        };
        let address =
            address().ok_or_else(|| StoreError::Corrupt(format!("redirection to {to:?}")))?;
        let map = self.slot_map();
        if let Some(node) = map.node_at(&address) {
            return Ok(node);
        }
        let node = Arc::new(Node::open(&self.connector, address, &self.last_measured)?);
        self.replace_map(map.with_redirect_node(Arc::clone(&node)));
        Ok(node)
    }
}
