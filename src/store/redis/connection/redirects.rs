//! Finds the server that a redirection names.

use std::sync::Arc;

use redis::ConnectionAddr;

use super::{World, node::Node, topology::host_or_asked};
use crate::store::StoreError;

impl World {
    /// The server `host:port`, which the one that was `asked` sent us to. Without a host it is on that one's.
    pub(super) fn guest(&self, to: &str, asked: &Node) -> Result<Arc<Node>, StoreError> {
        let address = || -> Option<ConnectionAddr> {
            let (host, port) = to.rsplit_once(':')?;
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let host = host_or_asked(host, &asked.address);
            Some(self.connector.address(host, port.parse().ok()?))
        };
        let address =
            address().ok_or_else(|| StoreError::Corrupt(format!("a redirection to {to:?}")))?;
        let map = self.map();
        if let Some(node) = map.at(&address) {
            return Ok(node);
        }
        let node = Arc::new(Node::open(&self.connector, address, &self.last_measured)?);
        self.draw(map.with(Arc::clone(&node)));
        Ok(node)
    }
}
