//! Lists: built, cut, searched.
//!
//! Compat: sprig 3.3.0 `list.go`. What is no list is an error in the words of
//! the reference, nil in those of Go's runtime.

use super::convert::{NIL_POINTER, to_int64};
use crate::gotmpl::exec::Context;
use crate::gotmpl::function::{CallError, CallResult, Function, Int, Rest, function};
use crate::gotmpl::value::{List, ListType, Value, deep_equal};

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    function!("list", with list(item), "A list of the values."),
    function!("tuple", with list(item), "Older name of `list`."),
    function!(
        "first",
        first(items),
        "The first item of a list; nil where it is empty."
    ),
    function!("mustFirst", first(items), "As `first`."),
    function!(
        "last",
        last(items),
        "The last item of a list; nil where it is empty."
    ),
    function!("mustLast", last(items), "As `last`."),
    function!("rest", with rest(items), "A list without its first item; nil where it is empty."),
    function!("mustRest", with rest(items), "As `rest`."),
    function!("initial", with initial(items), "A list without its last item; nil where it is empty."),
    function!("mustInitial", with initial(items), "As `initial`."),
    function!("append", with append(items, value), "A new list with the value at its end."),
    function!("mustAppend", with append(items, value), "As `append`."),
    function!("push", with append(items, value), "Older name of `append`."),
    function!("mustPush", with append(items, value), "As `append`."),
    function!("prepend", with prepend(items, value), "A new list with the value at its beginning."),
    function!("mustPrepend", with prepend(items, value), "As `prepend`."),
    function!("concat", with concat(items), "One list of the items of all lists."),
    function!("reverse", with reverse(items), "A new list in reverse order."),
    function!("mustReverse", with reverse(items), "As `reverse`."),
    function!("uniq", with uniq(items), "A new list with each item once."),
    function!("mustUniq", with uniq(items), "As `uniq`."),
    function!("without", with without(items, value), "A new list without these values."),
    function!("mustWithout", with without(items, value), "As `without`."),
    function!("has", with has(value, items), "Whether the list holds the value."),
    function!("mustHas", with has(value, items), "As `has`."),
    function!("compact", with compact(items), "A new list without the items that are empty."),
    function!("mustCompact", with compact(items), "As `compact`."),
    function!(
        "slice",
        slice(items, bound),
        "Part of a list: `slice x 1 3` is Go's `x[1:3]`."
    ),
    function!("mustSlice", slice(items, bound), "As `slice`."),
    function!("chunk", with chunk(size, items), "The items in lists of that size."),
    function!("mustChunk", with chunk(size, items), "As `chunk`."),
    function!("until", with until(end), "The integers from 0 to before `end`."),
    function!("untilStep", with until_step(start, end, step), "The integers from `start` to before `end`, in steps."),
    function!("seq", with seq(number), "Integers as the program `seq` prints them: `seq LAST`, `seq FIRST LAST` or `seq FIRST STEP LAST`."),
];

/// The items of a list.
fn items_of(value: &Value, what: &str) -> CallResult<Vec<Value>> {
    if matches!(value, Value::Nil) {
        return Err(CallError::new(NIL_POINTER));
    }
    value
        .items()
        .ok_or_else(|| CallError::new(format!("Cannot {what} type {}", value.kind_name())))
}

/// Counts the items of a list that is about to be made.
fn take(context: &mut Context<'_>, count: usize) -> CallResult<()> {
    context.take_bytes(List::bytes(count))
}

fn list(context: &mut Context<'_>, items: Rest<Value>) -> CallResult<List> {
    take(context, items.0.len())?;
    Ok(List::any(items.0))
}

fn first(items: Value) -> CallResult {
    check_list(&items, "find first on")?;
    Ok(items.item(0).unwrap_or_default())
}

fn last(items: Value) -> CallResult {
    check_list(&items, "find last on")?;
    let last = items.length().unwrap_or_default().checked_sub(1);
    Ok(last.and_then(|i| items.item(i)).unwrap_or_default())
}

fn check_list(value: &Value, what: &str) -> CallResult<()> {
    if value.is_list() {
        Ok(())
    } else {
        items_of(value, what).map(|_| ())
    }
}

fn rest(context: &mut Context<'_>, items: Value) -> CallResult<List> {
    let items = items_of(&items, "find rest on")?;
    take(context, items.len())?;
    if items.is_empty() {
        return Ok(List::nil(ListType::ANY));
    }
    Ok(List::any(items.into_iter().skip(1).collect()))
}

fn initial(context: &mut Context<'_>, items: Value) -> CallResult<List> {
    let mut items = items_of(&items, "find initial on")?;
    take(context, items.len())?;
    if items.pop().is_none() {
        return Ok(List::nil(ListType::ANY));
    }
    Ok(List::any(items))
}

fn append(context: &mut Context<'_>, items: Value, value: Value) -> CallResult<List> {
    let mut items = items_of(&items, "push on")?;
    take(context, items.len() + 1)?;
    items.push(value);
    Ok(List::any(items))
}

fn prepend(context: &mut Context<'_>, items: Value, value: Value) -> CallResult<List> {
    let mut items = items_of(&items, "prepend on")?;
    take(context, items.len() + 1)?;
    items.insert(0, value);
    Ok(List::any(items))
}

fn concat(context: &mut Context<'_>, lists: Rest<Value>) -> CallResult {
    let mut all = Vec::new();
    for list in &lists.0 {
        if !list.is_list() && !matches!(list, Value::Nil) {
            return Err(CallError::new(format!(
                "Cannot concat type {} as list",
                list.kind_name()
            )));
        }
        let items = items_of(list, "concat")?;
        take(context, items.len())?;
        all.extend(items);
    }
    Ok(if all.is_empty() {
        List::nil(ListType::ANY).into()
    } else {
        List::any(all).into()
    })
}

fn reverse(context: &mut Context<'_>, items: Value) -> CallResult<List> {
    let mut items = items_of(&items, "find reverse on")?;
    take(context, items.len())?;
    items.reverse();
    Ok(List::any(items))
}

fn holds(context: &mut Context<'_>, items: &[Value], value: &Value) -> CallResult<bool> {
    for item in items {
        if deep_equal(value, item, &mut context.machine.meter)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn uniq(context: &mut Context<'_>, items: Value) -> CallResult<List> {
    let items = items_of(&items, "find uniq on")?;
    take(context, items.len())?;
    let mut kept: Vec<Value> = Vec::new();
    for item in items {
        if !holds(context, &kept, &item)? {
            kept.push(item);
        }
    }
    Ok(List::any(kept))
}

fn without(context: &mut Context<'_>, items: Value, values: Rest<Value>) -> CallResult<List> {
    let items = items_of(&items, "find without on")?;
    take(context, items.len())?;
    let mut kept = Vec::new();
    for item in items {
        if !holds(context, &values.0, &item)? {
            kept.push(item);
        }
    }
    Ok(List::any(kept))
}

fn has(context: &mut Context<'_>, value: Value, items: Value) -> CallResult<bool> {
    if matches!(items, Value::Nil) {
        return Ok(false);
    }
    let items = items_of(&items, "find has on")?;
    holds(context, &items, &value)
}

fn compact(context: &mut Context<'_>, items: Value) -> CallResult<List> {
    let mut items = items_of(&items, "compact on")?;
    take(context, items.len())?;
    items.retain(Value::is_true);
    Ok(List::any(items))
}

fn slice(items: Value, bounds: Rest<Value>) -> CallResult {
    if matches!(items, Value::Nil) {
        return Err(CallError::new(NIL_POINTER));
    }
    let Some(length) = items.length().filter(|_| items.is_list()) else {
        return Err(CallError::new(format!(
            "list should be type of slice or array but {}",
            items.kind_name()
        )));
    };
    if length == 0 {
        return Ok(Value::Nil);
    }
    let bound = |index: usize, default: usize| match bounds.0.get(index) {
        Some(bound) => usize::try_from(to_int64(bound)).ok(),
        None => Some(default),
    };
    match (bound(0, 0), bound(1, length)) {
        (Some(start), Some(end)) if start <= end && end <= length => Ok(items.cut(start, end)),
        _ => Err(CallError::new(
            "reflect.Value.Slice: slice index out of bounds",
        )),
    }
}

fn chunk(context: &mut Context<'_>, size: Int, items: Value) -> CallResult {
    let items = items_of(&items, "chunk")?;
    take(context, items.len())?;
    let Some(size) = usize::try_from(size.0).ok().filter(|size| *size > 0) else {
        return Err(CallError::new("runtime error: makeslice: len out of range"));
    };
    let chunks = items
        .chunks(size)
        .map(|chunk| List::any(chunk.to_vec()).into())
        .collect();
    Ok(List::new(ListType::LISTS, chunks).into())
}

/// The integers from `start` to before `end`.
fn steps(context: &mut Context<'_>, start: i64, end: i64, step: i64) -> CallResult<Vec<i64>> {
    let runs = if end < start { step < 0 } else { step > 0 };
    if !runs || start == end {
        return Ok(Vec::new());
    }
    let distance = i128::from(end) - i128::from(start);
    let step_wide = i128::from(step);
    let count = (distance.abs() + step_wide.abs() - 1) / step_wide.abs();
    take(context, usize::try_from(count).unwrap_or(usize::MAX))?;
    Ok(std::iter::successors(Some(start), |i| i.checked_add(step))
        .take_while(|i| if step > 0 { *i < end } else { *i > end })
        .collect())
}

fn until(context: &mut Context<'_>, end: Int) -> CallResult {
    let step = if end.0 < 0 { -1 } else { 1 };
    until_step(context, Int(0), end, Int(step))
}

fn until_step(context: &mut Context<'_>, start: Int, end: Int, step: Int) -> CallResult {
    let steps = steps(context, start.0, end.0, step.0)?;
    let items = steps.into_iter().map(Value::int).collect();
    Ok(List::new(ListType::INTS, items).into())
}

fn seq(context: &mut Context<'_>, numbers: Rest<Int>) -> CallResult<String> {
    let (first, step, last) = match numbers.0[..] {
        [last] => (1, None, last.0),
        [first, last] => (first.0, None, last.0),
        [first, step, last] => (first.0, Some(step.0), last.0),
        _ => return Ok(String::new()),
    };
    let sign = if last < first { -1 } else { 1 };
    if sign < 0 && step.is_some_and(|step| step > 0) {
        return Ok(String::new());
    }
    // The last number is in it.
    let end = last.wrapping_add(sign);
    let numbers = steps(context, first, end, step.unwrap_or(sign))?;
    let texts: Vec<String> = numbers.iter().map(i64::to_string).collect();
    Ok(texts.join(" "))
}
