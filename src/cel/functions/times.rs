//! What a calendar and a clock say of points and spans of time.

use super::{Failure, Function, Meter, Result};
use crate::cel::time::zone;
use crate::cel::value::Value;

pub(super) fn call(
    function: Function,
    arguments: &[Value],
    _meter: &mut Meter<'_>,
) -> Option<Result<Value>> {
    match arguments {
        [Value::Duration(nanoseconds)] => {
            const SECOND: i64 = 1_000_000_000;
            let value = match function {
                Function::Hours => nanoseconds / (3_600 * SECOND),
                Function::Minutes => nanoseconds / (60 * SECOND),
                Function::Seconds => nanoseconds / SECOND,
                Function::Milliseconds => nanoseconds / 1_000_000,
                _ => return None,
            };
            Some(Ok(Value::Int(value)))
        }
        [Value::Timestamp(timestamp), rest @ ..] => {
            let name = match rest {
                [] => "UTC",
                [Value::String(name)] => name,
                _ => return None,
            };
            let Some(offset) = zone(name) else {
                let message = format!("unknown time zone `{name}`: write an offset, `+02:00`");
                return Some(Err(Failure::new(message)));
            };
            let civil = timestamp.civil(offset);
            let value = match function {
                Function::FullYear => civil.year,
                Function::Month => civil.month - 1,
                Function::Date => civil.day,
                Function::DayOfMonth => civil.day - 1,
                Function::DayOfWeek => civil.weekday,
                Function::DayOfYear => civil.day_of_year,
                Function::Hours => civil.hour,
                Function::Minutes => civil.minute,
                Function::Seconds => civil.second,
                Function::Milliseconds => i64::from(timestamp.nanoseconds / 1_000_000),
                _ => return None,
            };
            Some(Ok(Value::Int(value)))
        }
        _ => None,
    }
}
