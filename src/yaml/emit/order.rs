//! The order in which go-yaml sorts keys.

use std::cmp::Ordering;

/// Compares two keys by go-yaml's natural order: letters after everything
/// else, runs of digits by their number.
///
/// Compat: `sorter.go` `keyList.Less` of go-yaml v2. That one is no total order
/// for every input; ties end in the order of the text.
pub(super) fn natural(a: &str, b: &str) -> Ordering {
    // Equal beginnings of plain letters are most of what is compared.
    let (x, y) = (a.as_bytes(), b.as_bytes());
    let same = x.iter().zip(y).take_while(|(p, q)| p == q).count();
    if let (Some(p), Some(q)) = (x.get(same), y.get(same))
        && p.is_ascii_alphabetic()
        && q.is_ascii_alphabetic()
    {
        return p.cmp(q);
    }
    slow(a, b)
}

fn slow(a: &str, b: &str) -> Ordering {
    let x: Vec<char> = a.chars().collect();
    let y: Vec<char> = b.chars().collect();
    let Some(i) = x.iter().zip(&y).position(|(p, q)| p != q) else {
        return x.len().cmp(&y.len());
    };
    let (p, q) = (x[i], y[i]);
    match (is_letter(p), is_letter(q)) {
        (true, true) => return p.cmp(&q),
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    // Leading zeros of a number that began before count for nothing.
    let mut start = 0i64;
    if p == '0' || q == '0' {
        let before = x[..i].iter().rev().take_while(|c| is_digit(**c));
        if before.clone().any(|c| *c != '0') {
            start = 1;
        }
    }
    let number = |chars: &[char]| {
        let mut n = start;
        let mut end = i;
        while let Some(c) = chars.get(end).filter(|c| is_digit(**c)) {
            let digit = i64::from(u32::from(*c)) - i64::from(u32::from('0'));
            n = n.wrapping_mul(10).wrapping_add(digit);
            end += 1;
        }
        (n, end)
    };
    number(&x).cmp(&number(&y)).then(p.cmp(&q))
}

fn is_letter(c: char) -> bool {
    c.is_alphabetic()
}

fn is_digit(c: char) -> bool {
    // Go's unicode.IsDigit; only ASCII digits occur in keys in practice, and
    // others differ by their code point either way.
    c.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_go_yaml_sorts_them() {
        // From go.yaml.in/yaml v2.4.2, sorting a map with these keys.
        let want = [
            "", "-a", ".b", "_x", "0", "1", "1.5", "01", "2", "10", "A", "B", "a", "a.b", "a/b",
            "a_b", "a0", "a1", "a01", "a2", "a10", "aB", "ab", "b",
        ];
        let mut keys = want;
        keys.reverse();
        keys.sort_by(|a, b| natural(a, b));
        assert_eq!(keys, want);
    }
}
