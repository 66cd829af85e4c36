//! The addresses that requests to URLs of operators can be sent to.
//!
//! An operator of the catalog must not be able to reach services inside the network of Switchboard through it, such as
//! the metadata service of a cloud. Addresses that are not public are rejected unless a setting allows their network.

use std::{
    error::Error,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Networks of IPv4 that are not public: the special-purpose address registry of IANA, multicast and reserved addresses,
/// and the virtual address of services of Azure.
const SPECIAL_V4: [Ipv4Net; 16] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([168, 63, 129, 16], 32),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([224, 0, 0, 0], 4),
    v4([240, 0, 0, 0], 4),
];

/// The only public network of IPv6.
const GLOBAL_UNICAST: Ipv6Net = v6(0x2000_0000, 3);

/// Networks of [`GLOBAL_UNICAST`] that are not public, or in which an address of IPv4 is embedded: Teredo and other
/// protocol assignments, documentation, 6to4.
const SPECIAL_V6: [Ipv6Net; 4] = [
    v6(0x2001_0000, 23),
    v6(0x2001_0db8, 32),
    v6(0x2002_0000, 16),
    v6(0x3fff_0000, 20),
];

/// The well-known prefix of NAT64, which embeds an address of IPv4.
const NAT64: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

/// The network with these first 32 bits.
const fn v6(first: u128, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::from_bits(first << 96), prefix)
}

/// Which addresses are allowed: public ones, and those of these networks.
#[derive(Debug, Clone, Default)]
pub(crate) struct AddressPolicy {
    allowed_networks: Vec<IpNet>,
}

/// An address is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AddressNotAllowed(pub(crate) IpAddr);

impl fmt::Display for AddressNotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "address {} is not allowed", self.0)
    }
}

impl Error for AddressNotAllowed {}

impl AddressPolicy {
    pub(crate) fn new(allowed_networks: Vec<IpNet>) -> Self {
        Self { allowed_networks }
    }

    /// Checks an address. IPv4-mapped addresses and those of NAT64 are checked as the address of IPv4 that they contain.
    ///
    /// # Errors
    /// [`AddressNotAllowed`].
    pub(crate) fn check(&self, address: IpAddr) -> Result<(), AddressNotAllowed> {
        let address = embedded_v4(address.to_canonical());
        let is_allowed = |network: &IpNet| network.contains(&address);
        if is_public(address) || self.allowed_networks.iter().any(is_allowed) {
            return Ok(());
        }
        Err(AddressNotAllowed(address))
    }
}

/// The address of IPv4 that an address of NAT64 stands for; other addresses as they are.
fn embedded_v4(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) if NAT64.contains(&v6) => {
            let [.., high, low] = v6.segments();
            Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low)).into()
        }
        _ => address,
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) => {
            GLOBAL_UNICAST.contains(&address)
                && !SPECIAL_V6.iter().any(|network| network.contains(&address))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(policy: &AddressPolicy, address: &str) -> bool {
        policy.check(address.parse().unwrap()).is_ok()
    }

    #[test]
    fn only_public_addresses_are_allowed_by_default() {
        let policy = AddressPolicy::default();
        for public in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450::1",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "168.63.129.17",
        ] {
            assert!(check(&policy, public), "{public}");
        }
        for special in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.5",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.168.1.1",
            "198.19.0.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.5",
            "64:ff9b::10.0.0.5",
            "64:ff9b::169.254.169.254",
            "64:ff9b::1:1.1.1.1",
            "64:ff9b:1::1.1.1.1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:a00:5::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!check(&policy, special), "{special}");
        }
    }

    #[test]
    fn other_addresses_can_be_allowed_by_network() {
        let networks = ["10.1.0.0/16", "fd00::/8", "127.0.0.1/32"];
        let networks = networks.map(|network| network.parse().unwrap());
        let policy = AddressPolicy::new(networks.to_vec());
        for allowed in ["10.1.2.3", "::ffff:10.1.2.3", "fd00::1", "127.0.0.1"] {
            assert!(check(&policy, allowed), "{allowed}");
        }
        for denied in ["10.2.0.1", "::ffff:10.2.0.1", "fc00::1", "127.0.0.2", "::1"] {
            assert!(!check(&policy, denied), "{denied}");
        }
        assert!(check(&policy, "64:ff9b::10.1.2.3"));
        let nat64 = AddressPolicy::new(vec!["64:ff9b::/96".parse().unwrap()]);
        assert!(
            !check(&nat64, "64:ff9b::10.1.2.3"),
            "embedded private address"
        );
        let error = policy
            .check("::ffff:10.2.0.1".parse().unwrap())
            .unwrap_err();
        assert_eq!(error.to_string(), "address 10.2.0.1 is not allowed");
    }
}
