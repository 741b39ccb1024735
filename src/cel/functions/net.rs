//! Addresses of machines, and ranges of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Failure, Function, Meter, Result};
use crate::cel::value::Value;

pub(super) fn call(
    function: Function,
    arguments: &[Value],
    _meter: &mut Meter<'_>,
) -> Option<Result<Value>> {
    Some(Ok(match (function, arguments) {
        (Function::Ip, [Value::String(text)]) => return Some(ip(text).map(Value::Ip)),
        (Function::Ip, [Value::Cidr(address, _)]) => Value::Ip(*address),
        (Function::IsIp, [Value::String(text)]) => ip(text).is_ok().into(),
        (Function::IsCanonical, [Value::String(text)]) => {
            return Some(ip(text).map(|address| (address.to_string() == **text).into()));
        }
        (Function::Family, [Value::Ip(address)]) => {
            Value::Int(if address.is_ipv4() { 4 } else { 6 })
        }
        (Function::IsUnspecified, [Value::Ip(address)]) => address.is_unspecified().into(),
        (Function::IsLoopback, [Value::Ip(address)]) => address.is_loopback().into(),
        (Function::IsLinkLocalMulticast, [Value::Ip(address)]) => {
            is_link_local_multicast(*address).into()
        }
        (Function::IsLinkLocalUnicast, [Value::Ip(address)]) => {
            is_link_local_unicast(*address).into()
        }
        (Function::IsGlobalUnicast, [Value::Ip(address)]) => is_global_unicast(*address).into(),
        (Function::Cidr, [Value::String(text)]) => {
            return Some(cidr(text).map(|(address, bits)| Value::Cidr(address, bits)));
        }
        (Function::IsCidr, [Value::String(text)]) => cidr(text).is_ok().into(),
        (Function::ContainsIp, [Value::Cidr(address, bits), other]) => {
            let other = match other {
                Value::Ip(other) => Ok(*other),
                Value::String(text) => ip(text),
                _ => return None,
            };
            return Some(other.map(|other| contains(*address, *bits, other).into()));
        }
        (Function::ContainsCidr, [Value::Cidr(address, bits), other]) => {
            let other = match other {
                Value::Cidr(other, other_bits) => Ok((*other, *other_bits)),
                Value::String(text) => cidr(text),
                _ => return None,
            };
            return Some(other.map(|(other, other_bits)| {
                (other_bits >= *bits && contains(*address, *bits, other)).into()
            }));
        }
        (Function::PrefixLength, [Value::Cidr(_, bits)]) => Value::Int(i64::from(*bits)),
        (Function::Masked, [Value::Cidr(address, bits)]) => {
            Value::Cidr(masked(*address, *bits), *bits)
        }
        _ => return None,
    }))
}

/// Reads an address: without a zone, and no IPv4 address in an IPv6 one.
fn ip(text: &str) -> Result<IpAddr> {
    let wrong = || Failure::new(format!("`{text}` is no IP address"));
    let address: IpAddr = text.parse().map_err(|_| wrong())?;
    match address {
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => Err(wrong()),
        address => Ok(address),
    }
}

fn cidr(text: &str) -> Result<(IpAddr, u8)> {
    let wrong = || Failure::new(format!("`{text}` is no range of IP addresses"));
    let (address, bits) = text.split_once('/').ok_or_else(wrong)?;
    let address = ip(address).map_err(|_| wrong())?;
    let plain = bits.bytes().all(|b| b.is_ascii_digit()) && (bits == "0" || !bits.starts_with('0'));
    let max = if address.is_ipv4() { 32 } else { 128 };
    let bits: u8 = bits.parse().map_err(|_| wrong())?;
    if plain && bits <= max {
        Ok((address, bits))
    } else {
        Err(wrong())
    }
}

fn masked(address: IpAddr, bits: u8) -> IpAddr {
    let bits = u32::from(bits);
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
    }
}

fn contains(address: IpAddr, bits: u8, other: IpAddr) -> bool {
    address.is_ipv4() == other.is_ipv4() && masked(address, bits) == masked(other, bits)
}

fn is_link_local_multicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => matches!(v4.octets(), [224, 0, 0, _]),
        IpAddr::V6(v6) => v6.segments()[0] & 0xff0f == 0xff02,
    }
}

fn is_link_local_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// Compat: `netip.Addr.IsGlobalUnicast`: private addresses are global too.
fn is_global_unicast(address: IpAddr) -> bool {
    let is_broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
    !is_broadcast
        && !address.is_unspecified()
        && !address.is_loopback()
        && !address.is_multicast()
        && !is_link_local_unicast(address)
}
