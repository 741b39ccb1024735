//! Shamir's secret sharing over the field of 256 elements, as sops splits a
//! data key among groups.
//!
//! A part is a point on one polynomial for each byte of the key: the bytes are
//! the values, and the last byte is the place. The key is the value at zero.

use zeroize::Zeroizing;

/// Puts parts together; none where they cannot be parts of one key.
///
/// With fewer parts than the threshold, the result is not the key: nothing
/// here can tell.
pub(super) fn combine(parts: &[Zeroizing<Vec<u8>>]) -> Option<Zeroizing<Vec<u8>>> {
    let length = parts.first()?.len();
    if parts.len() < 2 || length < 2 || parts.iter().any(|p| p.len() != length) {
        return None;
    }
    let places: Vec<u8> = parts.iter().filter_map(|p| p.last().copied()).collect();
    for (i, place) in places.iter().enumerate() {
        if places.iter().skip(i + 1).any(|other| other == place) {
            return None;
        }
    }
    // Lagrange's weights at zero; in this field, addition and subtraction are
    // one.
    let weights: Vec<u8> = places
        .iter()
        .enumerate()
        .map(|(i, place)| {
            let others = places.iter().enumerate().filter(|(j, _)| *j != i);
            others.fold(1, |weight, (_, other)| {
                multiply(weight, multiply(*other, inverse(other ^ place)))
            })
        })
        .collect();
    let mut key = Zeroizing::new(vec![0; length - 1]);
    for (part, weight) in parts.iter().zip(weights) {
        for (byte, value) in key.iter_mut().zip(part.iter()) {
            *byte ^= multiply(*value, weight);
        }
    }
    Some(key)
}

/// The product modulo x⁸ + x⁴ + x³ + x + 1, without branches on the factors.
fn multiply(mut a: u8, mut b: u8) -> u8 {
    let mut product = 0;
    for _ in 0..8 {
        product ^= a & 0_u8.wrapping_sub(b & 1);
        let carry = 0_u8.wrapping_sub(a >> 7);
        a = (a << 1) ^ (carry & 0x1b);
        b >>= 1;
    }
    product
}

/// The inverse: the 254th power. That of zero is zero.
fn inverse(a: u8) -> u8 {
    let mut power = a;
    let mut result = 1;
    // 254 is 0b1111_1110.
    for _ in 0..7 {
        power = multiply(power, power);
        result = multiply(result, power);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(key: &[u8], threshold: usize, places: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
        let coefficient =
            |byte: usize, power: usize| u8::try_from((byte * 31 + power * 101 + 7) % 256).unwrap();
        places
            .iter()
            .map(|place| {
                let mut part: Vec<u8> = key
                    .iter()
                    .enumerate()
                    .map(|(i, secret)| {
                        (1..threshold).rev().fold(0, |sum, power| {
                            multiply(sum ^ coefficient(i, power), *place)
                        }) ^ secret
                    })
                    .collect();
                part.push(*place);
                Zeroizing::new(part)
            })
            .collect()
    }

    #[test]
    fn the_field() {
        // FIPS 197, section 4.2: {57} x {83} = {c1}, {57} x {13} = {fe}.
        assert_eq!((multiply(0x57, 0x83), multiply(0x57, 0x13)), (0xc1, 0xfe));
        for a in 1..=255 {
            assert_eq!(multiply(a, inverse(a)), 1, "{a}");
        }
    }

    #[test]
    fn enough_parts_give_the_key() {
        let key: Vec<u8> = (0..32).collect();
        let parts = split(&key, 3, &[9, 200, 77, 1, 255]);
        for chosen in [[0, 1, 2], [4, 2, 0], [1, 3, 4]] {
            let some: Vec<_> = chosen.iter().map(|i| parts[*i].clone()).collect();
            assert_eq!(*combine(&some).unwrap(), key);
        }
        assert_eq!(*combine(&parts).unwrap(), key);
        assert_ne!(*combine(&parts[..2]).unwrap(), key);
    }

    #[test]
    fn what_are_no_parts() {
        let part = |bytes: &[u8]| Zeroizing::new(bytes.to_vec());
        for parts in [
            vec![],
            vec![part(&[1, 2])],
            vec![part(&[1, 2]), part(&[1, 2, 3])],
            vec![part(&[1, 2]), part(&[3, 2])],
            vec![part(&[1]), part(&[2])],
        ] {
            assert!(combine(&parts).is_none());
        }
    }
}
