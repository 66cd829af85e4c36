//! Finds the server that a redirection names.

use std::sync::Arc;

use redis::ConnectionAddr;

use super::{ClusterState, node::Node, topology::host_or_responder};
use crate::store::StoreError;

impl ClusterState {
    /// The server `host:port`, which the one that was `asked` sent us to. Without a host it is on that one's.
    pub(super) fn node_for_redirect(
        &self,
        to: &str,
        asked: &Node,
    ) -> Result<Arc<Node>, StoreError> {
        let address = || -> Option<ConnectionAddr> {
            let (host, port) = to.rsplit_once(':')?;
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let host = host_or_responder(host, &asked.address);
            Some(self.connector.address(host, port.parse().ok()?))
        };
        let address =
            address().ok_or_else(|| StoreError::Corrupt(format!("a redirection to {to:?}")))?;
        let map = self.slot_map();
        if let Some(node) = map.node_at(&address) {
            return Ok(node);
        }
        let node = Arc::new(Node::open(&self.connector, address, &self.last_measured)?);
        self.replace_map(map.with_redirect_node(Arc::clone(&node)));
        Ok(node)
    }
}
