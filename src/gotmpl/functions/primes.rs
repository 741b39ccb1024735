//! Large primes, found fast: keys for RSA take most of the time that a chart
//! with certificates takes.
//!
//! Candidates in a row are sieved by small primes at once; the few that are
//! left are tested with Montgomery's multiplication on words of 64 bits.

use num_bigint_dig::BigUint;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::RngCore as _;

/// Small primes up to here sieve the candidates.
const SIEVE_END: u32 = 1 << 16;
/// How many odd numbers in a row are looked at before a new random start.
const WINDOW: usize = 1 << 14;
/// Bases of the test of Miller and Rabin. For random candidates of 256 bits
/// and more a few leave no doubt that counts.
const BASES: [u64; 6] = [2, 3, 5, 7, 11, 13];

/// 64 primes of 1024 bits and 32 of 2048.
static KNOWN_1024: &[u8] = include_bytes!("primes-1024.bin");
static KNOWN_2048: &[u8] = include_bytes!("primes-2048.bin");

/// Two different primes of so many bits out of a table; none where it has no
/// such primes.
pub(super) fn known_primes(random: &mut ChaCha20Rng, bits: usize) -> Option<(BigUint, BigUint)> {
    let table = match bits {
        1024 => KNOWN_1024,
        2048 => KNOWN_2048,
        _ => return None,
    };
    let count = table.len() / (bits / 8);
    let mut pick = |count: usize| usize::try_from(random.next_u64() % count as u64).ok();
    let first = pick(count)?;
    let second = (first + 1 + pick(count - 1)?) % count;
    let prime = |i| table.chunks(bits / 8).nth(i).map(BigUint::from_bytes_be);
    Some((prime(first)?, prime(second)?))
}

/// A random prime of so many bits, at least 64, the highest two of them set,
/// so that the product of two has twice as many.
pub(super) fn random_prime(random: &mut ChaCha20Rng, bits: usize) -> BigUint {
    let small = small_primes();
    let mut bytes = vec![0; bits.div_ceil(8)];
    loop {
        random.fill_bytes(&mut bytes);
        let mut start = BigUint::from_bytes_be(&bytes) >> (bytes.len() * 8 - bits);
        start |= BigUint::from(3u8) << (bits - 2);
        start |= BigUint::from(1u8);
        if let Some(prime) = next_prime(&start, &small)
            && prime.bits() == bits
        {
            return prime;
        }
    }
}

/// The first prime among the odd numbers from `start` on, if one is near.
fn next_prime(start: &BigUint, small: &[u32]) -> Option<BigUint> {
    let limbs = to_limbs(start);
    let mut composite = vec![false; WINDOW];
    for &prime in small {
        let step = prime as usize;
        // `start + 2i` is a multiple where `2i` is `-start`.
        let remainder = remainder(&limbs, prime);
        let missing = (step - remainder) % step;
        let first = if missing.is_multiple_of(2) {
            missing / 2
        } else {
            usize::midpoint(missing, step)
        };
        for mark in composite.iter_mut().skip(first).step_by(step) {
            *mark = true;
        }
    }
    composite
        .iter()
        .enumerate()
        .filter(|(_, composite)| !**composite)
        .map(|(i, _)| start + BigUint::from(2 * i))
        .find(is_prime)
}

/// Whether a number, as good as random, is prime.
pub(super) fn is_prime(number: &BigUint) -> bool {
    let two = BigUint::from(2u8);
    if *number < BigUint::from(64u8) {
        return [
            2u8, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61,
        ]
        .iter()
        .any(|prime| *number == BigUint::from(*prime));
    }
    if number % &two == BigUint::from(0u8) {
        return false;
    }
    let mut field = Montgomery::new(&to_limbs(number));
    let minus_one = number - BigUint::from(1u8);
    let zeros = minus_one.trailing_zeros().unwrap_or(0);
    let odd = to_limbs(&(&minus_one >> zeros));
    let minus_one = field.enter(&minus_one);
    BASES.iter().all(|base| {
        let mut power = field.small_power(*base, &odd);
        if power == field.one || power == minus_one {
            return true;
        }
        (1..zeros).any(|_| {
            field.square(&mut power);
            power == minus_one
        })
    })
}

/// `base` to the power of `exponent`, modulo an odd number.
pub(super) fn power(base: &BigUint, exponent: &BigUint, modulus: &BigUint) -> BigUint {
    let mut field = Montgomery::new(&to_limbs(modulus));
    let base = field.enter(&(base % modulus));
    // The powers that four bits of the exponent stand for.
    let mut powers = vec![field.one.clone()];
    for _ in 1..16 {
        let mut next = powers.last().cloned().unwrap_or_default();
        field.multiply(&mut next, &base);
        powers.push(next);
    }
    let mut result = field.one.clone();
    let nibbles = exponent
        .to_bytes_be()
        .into_iter()
        .flat_map(|b| [b >> 4, b & 15]);
    for nibble in nibbles.skip_while(|nibble| *nibble == 0) {
        for _ in 0..4 {
            field.square(&mut result);
        }
        if let Some(power) = powers.get(usize::from(nibble)).filter(|_| nibble > 0) {
            field.multiply(&mut result, power);
        }
    }
    field.leave(result)
}

/// The bits of a number, the highest set one first.
fn bits(limbs: &[u64]) -> impl Iterator<Item = bool> {
    limbs
        .iter()
        .rev()
        .flat_map(|limb| (0..64).rev().map(move |i| limb >> i & 1 == 1))
        .skip_while(|bit| !bit)
}

fn to_limbs(number: &BigUint) -> Vec<u64> {
    number
        .to_bytes_le()
        .chunks(8)
        .map(|chunk| {
            let mut bytes = [0; 8];
            for (to, from) in bytes.iter_mut().zip(chunk) {
                *to = *from;
            }
            u64::from_le_bytes(bytes)
        })
        .collect()
}

fn from_limbs(limbs: &[u64]) -> BigUint {
    let bytes: Vec<u8> = limbs.iter().flat_map(|limb| limb.to_le_bytes()).collect();
    BigUint::from_bytes_le(&bytes)
}

fn remainder(limbs: &[u64], divisor: u32) -> usize {
    let divisor = u64::from(divisor);
    let remainder = limbs.iter().rev().fold(0, |rest, limb| {
        let rest = (rest << 32 | limb >> 32) % divisor;
        (rest << 32 | limb & 0xffff_ffff) % divisor
    });
    usize::try_from(remainder).unwrap_or(0)
}

/// The odd primes up to [`SIEVE_END`].
fn small_primes() -> Vec<u32> {
    let mut composite = vec![false; SIEVE_END as usize];
    let mut primes = Vec::with_capacity(6541);
    for number in (3..SIEVE_END).step_by(2) {
        if composite.get(number as usize) == Some(&true) {
            continue;
        }
        primes.push(number);
        let first = (number as usize).saturating_mul(number as usize);
        for mark in composite
            .iter_mut()
            .skip(first)
            .step_by(2 * number as usize)
        {
            *mark = true;
        }
    }
    primes
}

/// Numbers modulo an odd one, each multiplied by a power of two that makes
/// division by the modulus unnecessary (Montgomery's form).
struct Montgomery {
    /// Its limbs, an even number of them.
    modulus: Vec<u64>,
    /// The modulus' negated inverse modulo 2¹²⁸.
    inverse: u128,
    /// The number 1.
    one: Vec<u64>,
    /// Room for a product.
    product: Vec<u64>,
}

impl Montgomery {
    fn new(modulus: &[u64]) -> Montgomery {
        let mut limbs = modulus.to_vec();
        limbs.resize(modulus.len().next_multiple_of(2), 0);
        let lowest = match limbs.as_slice() {
            [low, high, ..] => join(*low, *high),
            _ => 1,
        };
        // Newton: each round doubles the number of right bits, from three.
        let mut inverse = lowest;
        for _ in 0..6 {
            let error = 2u128.wrapping_sub(lowest.wrapping_mul(inverse));
            inverse = inverse.wrapping_mul(error);
        }
        let one = (BigUint::from(1u8) << (64 * limbs.len())) % from_limbs(&limbs);
        let mut field = Montgomery {
            product: vec![0; 2 * limbs.len()],
            modulus: limbs,
            inverse: inverse.wrapping_neg(),
            one: Vec::new(),
        };
        field.one = field.padded(&one);
        field
    }

    fn padded(&self, number: &BigUint) -> Vec<u64> {
        let mut limbs = to_limbs(number);
        limbs.resize(self.modulus.len(), 0);
        limbs
    }

    /// A number below the modulus in this form.
    fn enter(&self, number: &BigUint) -> Vec<u64> {
        let shifted = number << (64 * self.modulus.len());
        self.padded(&(shifted % from_limbs(&self.modulus)))
    }

    fn leave(&mut self, mut number: Vec<u64>) -> BigUint {
        self.product.fill(0);
        for (to, from) in self.product.iter_mut().zip(&number) {
            *to = *from;
        }
        self.reduce(&mut number);
        from_limbs(&number)
    }

    /// A small base to some power.
    fn small_power(&mut self, base: u64, exponent: &[u64]) -> Vec<u64> {
        let factor = self.enter(&BigUint::from(base));
        let mut result = self.one.clone();
        for bit in bits(exponent) {
            self.square(&mut result);
            if bit && base == 2 {
                self.double(&mut result);
            } else if bit {
                self.multiply(&mut result, &factor);
            }
        }
        result
    }

    fn double(&self, number: &mut [u64]) {
        let mut carry = 0;
        for limb in &mut *number {
            let high = *limb >> 63;
            *limb = *limb << 1 | carry;
            carry = high;
        }
        self.below_modulus(number, carry);
    }

    /// Takes the modulus away once, where the number is not below it.
    fn below_modulus(&self, number: &mut [u64], carry: u64) {
        if carry == 0 && number.iter().rev().lt(self.modulus.iter().rev()) {
            return;
        }
        let mut borrow = false;
        for (limb, modulus) in number.iter_mut().zip(&self.modulus) {
            let (difference, first) = limb.overflowing_sub(*modulus);
            let (difference, second) = difference.overflowing_sub(u64::from(borrow));
            *limb = difference;
            borrow = first || second;
        }
    }

    fn multiply(&mut self, a: &mut [u64], b: &[u64]) {
        self.product.fill(0);
        for (i, pair) in a.chunks_exact(2).enumerate() {
            if let ([low, high], Some(row)) = (pair, self.product.get_mut(2 * i..)) {
                add_products(row, b, [*low, *high], 0);
            }
        }
        self.reduce(a);
    }

    fn square(&mut self, a: &mut [u64]) {
        self.product.fill(0);
        // Products of two different limbs, once.
        for i in (0..a.len()).step_by(2) {
            let (Some([low, high, rest @ ..]), Some([first, row @ ..])) =
                (a.get(i..), self.product.get_mut(2 * i + 1..))
            else {
                break;
            };
            let sum = u128::from(*low) * u128::from(*high) + u128::from(*first);
            let carry;
            (*first, carry) = halves(sum);
            add_products(row, rest, [*low, *high], carry);
        }
        // Twice these, and the squares.
        let (mut shifted, mut carry) = (0, false);
        for (pair, limb) in self.product.chunks_exact_mut(2).zip(&*a) {
            let [low, high] = pair else { break };
            let square = u128::from(*limb) * u128::from(*limb);
            let twice = join(*low << 1 | shifted, *high << 1 | *low >> 63);
            shifted = *high >> 63;
            let (sum, first) = twice.overflowing_add(square);
            let (sum, second) = sum.overflowing_add(u128::from(carry));
            (*low, *high) = halves(sum);
            carry = first || second;
        }
        self.reduce(a);
    }

    /// The product divided by the power of two, below the modulus.
    fn reduce(&mut self, result: &mut [u64]) {
        let length = self.modulus.len();
        let mut above = 0;
        for i in (0..length).step_by(2) {
            let Some(row) = self.product.get_mut(i..) else {
                break;
            };
            let lowest = match row {
                [low, high, ..] => join(*low, *high),
                _ => 0,
            };
            let (first, second) = halves(lowest.wrapping_mul(self.inverse));
            above += add_products(row, &self.modulus, [first, second], 0);
        }
        let high = self.product.get(length..).unwrap_or_default();
        for (to, from) in result.iter_mut().zip(high) {
            *to = *from;
        }
        self.below_modulus(result, above);
    }
}

/// Adds `from` times two limbs and what is carried, and returns what no longer
/// fits.
///
/// Two limbs at once, because the two chains of carries do not wait for each
/// other.
fn add_products(to: &mut [u64], from: &[u64], factors: [u64; 2], carried: u64) -> u64 {
    let [first, second] = factors.map(u128::from);
    let (mut first_carry, mut second_carry) = (carried, 0);
    let mut before = 0;
    let (low, high) = to.split_at_mut(from.len().min(to.len()));
    for (to, from) in low.iter_mut().zip(from) {
        // The largest sums there can be just fit.
        let sum = u128::from(*from) * first + u128::from(*to) + u128::from(first_carry);
        let limb;
        (limb, first_carry) = halves(sum);
        let sum = u128::from(before) * second + u128::from(limb) + u128::from(second_carry);
        (*to, second_carry) = halves(sum);
        before = *from;
    }
    let mut carry =
        u128::from(before) * second + u128::from(first_carry) + u128::from(second_carry);
    for to in high {
        if carry == 0 {
            return 0;
        }
        let (low, rest) = halves(carry);
        let (sum, overflows) = to.overflowing_add(low);
        *to = sum;
        carry = u128::from(rest) + u128::from(overflows);
    }
    halves(carry).0
}

fn join(low: u64, high: u64) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

/// The low and the high half.
#[expect(clippy::cast_possible_truncation, reason = "halves are meant")]
fn halves(number: u128) -> (u64, u64) {
    (number as u64, (number >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::SeedableRng as _;

    fn number(text: &str) -> BigUint {
        BigUint::parse_bytes(text.as_bytes(), 10).expect("a number")
    }

    #[test]
    fn primes_are_told_from_other_numbers() {
        for prime in [
            "2",
            "61",
            "67",
            "65537",
            "18446744073709551557",
            "170141183460469231731687303715884105727",
            // The largest prime below 2 to the power of 192.
            "6277101735386680763835789423207666416102355444464034512659",
        ] {
            assert!(is_prime(&number(prime)), "{prime}");
        }
        for composite in [
            "0",
            "1",
            "9",
            "65535",
            // Strong pseudoprimes to the bases 2, and 2 to 7.
            "2047",
            "3215031751",
            "18446744073709551556",
            "170141183460469231731687303715884105729",
            "6277101735386680763835789423207666416102355444464034512661",
        ] {
            assert!(!is_prime(&number(composite)), "{composite}");
        }
    }

    #[test]
    fn powers_agree_with_plain_arithmetic() {
        let mut random = ChaCha20Rng::from_seed([7; 32]);
        for bits in [64, 65, 127, 128, 192, 500, 1024] {
            let mut some = || {
                let mut bytes = vec![0; bits / 8 + 1];
                random.fill_bytes(&mut bytes);
                BigUint::from_bytes_le(&bytes)
            };
            let (base, exponent, modulus) = (some(), some(), some() | BigUint::from(1u8));
            let expected = base.modpow(&exponent, &modulus);
            assert_eq!(power(&base, &exponent, &modulus), expected, "{bits}");
        }
    }

    /// The generator that the numbered prime of the tables came out of.
    fn of_table(bits: usize, i: usize) -> BigUint {
        use sha2::{Digest as _, Sha256};
        let seed = Sha256::digest(format!("fluxwright, prime {i} of {bits} bits"));
        random_prime(&mut ChaCha20Rng::from_seed(seed.into()), bits)
    }

    #[test]
    fn known_primes_are_prime_and_nobodys_choice() {
        for (table, bits) in [(KNOWN_1024, 1024), (KNOWN_2048, 2048)] {
            let first = table.chunks(bits / 8).next().expect("a prime");
            assert_eq!(BigUint::from_bytes_be(first), of_table(bits, 0));
        }
    }

    #[test]
    #[ignore = "takes a minute"]
    fn all_known_primes_are_nobodys_choice() {
        for (table, bits) in [(KNOWN_1024, 1024), (KNOWN_2048, 2048)] {
            for (i, prime) in table.chunks(bits / 8).enumerate() {
                assert_eq!(BigUint::from_bytes_be(prime), of_table(bits, i), "{i}");
            }
        }
    }

    #[test]
    fn known_primes_differ() {
        let mut random = ChaCha20Rng::from_seed([3; 32]);
        for _ in 0..1000 {
            let (p, q) = known_primes(&mut random, 1024).expect("a table");
            assert_ne!(p, q);
        }
        assert!(known_primes(&mut random, 512).is_none());
    }

    #[test]
    fn primes_have_the_size_that_is_asked_for() {
        let mut random = ChaCha20Rng::from_seed([1; 32]);
        for bits in [64, 100, 256] {
            let prime = random_prime(&mut random, bits);
            assert_eq!(prime.bits(), bits);
            assert!(num_bigint_dig::prime::probably_prime(&prime, 20));
        }
    }
}
