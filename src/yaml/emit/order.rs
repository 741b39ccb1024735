//! The order in which go-yaml sorts keys.

use std::cmp::Ordering;

use crate::gostd::unicode::{is_digit, is_letter};

/// Sorts by keys, in go-yaml's natural order.
///
/// Compat: that order is none for some keys (`1` < `01` < `0a` < `1`), whose
/// place in go-yaml's output differs from run to run. The library's sorting may
/// panic at such keys, this one gives some order that is always the same.
pub(super) fn sort_by_key<T: Copy>(items: &mut [T], key: impl Fn(&T) -> &str) {
    merge_sort(items, &mut Vec::with_capacity(items.len()), &|a, b| {
        natural(key(a), key(b)).is_lt()
    });
}

/// Sorts with room for a copy of the items.
fn merge_sort<T: Copy>(items: &mut [T], room: &mut Vec<T>, less: &impl Fn(&T, &T) -> bool) {
    if items.len() <= 8 {
        for end in 1..items.len() {
            let mut at = end;
            while at > 0 && less(&items[at], &items[at - 1]) {
                items.swap(at, at - 1);
                at -= 1;
            }
        }
        return;
    }
    let (left, right) = items.split_at_mut(items.len() / 2);
    merge_sort(left, room, less);
    merge_sort(right, room, less);
    let (Some(last), Some(first)) = (left.last(), right.first()) else {
        return;
    };
    if !less(first, last) {
        return;
    }
    room.clear();
    let (mut i, mut j) = (0, 0);
    while let (Some(a), Some(b)) = (left.get(i), right.get(j)) {
        if less(b, a) {
            room.push(*b);
            j += 1;
        } else {
            room.push(*a);
            i += 1;
        }
    }
    room.extend_from_slice(&left[i..]);
    room.extend_from_slice(&right[j..]);
    items.copy_from_slice(room);
}

/// Compares two keys by go-yaml's natural order: letters after everything
/// else, runs of digits by their number.
///
/// Compat: `sorter.go` `keyList.Less` of go-yaml v2; ties end in the order of
/// the text.
fn natural(a: &str, b: &str) -> Ordering {
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
        sort_by_key(&mut keys, |key| key);
        assert_eq!(keys, want);
        // Digits and letters beyond ASCII.
        let mut keys = ["\u{661}\u{660}", "a", "\u{662}", "\u{e9}", "\u{345}", "9"];
        sort_by_key(&mut keys, |key| key);
        assert_eq!(
            keys,
            ["\u{345}", "9", "\u{662}", "\u{661}\u{660}", "a", "\u{e9}"]
        );
    }

    #[test]
    fn keys_without_an_order_are_sorted_somehow() {
        let mut keys: Vec<String> = Vec::new();
        for a in ["", "0", "1", "01", "-"] {
            for b in ["", "0", "a", "B", "é", "1"] {
                for c in ["", "1", "00", "a", "."] {
                    keys.push(format!("{a}{b}{c}"));
                }
            }
        }
        keys.dedup();
        let mut sorted: Vec<&String> = keys.iter().collect();
        sort_by_key(&mut sorted, |key| key);
        assert_eq!(sorted.len(), keys.len());
        // An order that is one is kept among many.
        let numbers: Vec<String> = (0..300).map(|n| format!("k{}", n * 7 % 300)).collect();
        let mut sorted: Vec<&str> = numbers.iter().map(String::as_str).collect();
        sort_by_key(&mut sorted, |key| key);
        let want: Vec<String> = (0..300).map(|n| format!("k{n}")).collect();
        assert_eq!(sorted, want);
    }
}
