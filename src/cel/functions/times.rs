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
            let Some(zone) = zone(name) else {
                return Some(Err(Failure::new(format!("unknown time zone `{name}`"))));
            };
            let time = timestamp.in_zone(zone);
            let (year, month, day) = time.year_month_day();
            let (hour, minute, second) = time.clock();
            let value = match function {
                Function::FullYear => year,
                Function::Month => month - 1,
                Function::Date => day,
                Function::DayOfMonth => day - 1,
                Function::DayOfWeek => time.weekday(),
                Function::DayOfYear => time.year_day() - 1,
                Function::Hours => hour,
                Function::Minutes => minute,
                Function::Seconds => second,
                Function::Milliseconds => i64::from(timestamp.nanoseconds / 1_000_000),
                _ => return None,
            };
            Some(Ok(Value::Int(value)))
        }
        _ => None,
    }
}
