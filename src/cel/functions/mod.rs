//! The functions of the language and of Kubernetes' libraries.
//!
//! A function is a line of [`Function::TABLE`] and an arm of the `call` of its
//! family.

mod convert;
mod format;
mod kubernetes;
mod lists;
mod net;
mod text;
mod times;

use super::evaluate::{Failure, Meter};
use super::value::Value;

pub(super) use convert::show;
pub(super) use lists::sort;

pub(super) type Result<T, E = Failure> = std::result::Result<T, E>;

/// How many arguments a function takes, the target of a method among them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arity {
    pub(super) min: usize,
    pub(super) max: usize,
}

/// How a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `name(x)`
    Global,
    /// `x.name()`
    Method,
    /// Either.
    Both,
}

macro_rules! functions {
    ($($variant:ident $name:literal $form:ident $min:literal $max:literal)*) => {
        /// A function by what it does; one that different types have under one
        /// name is one function.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Function { $($variant),* }

        impl Function {
            const TABLE: &[(Function, &str, Form, usize, usize)] = &[
                $((Function::$variant, $name, Form::$form, $min, $max)),*
            ];
        }
    };
}

functions! {
    Size "size" Both 1 1
    Type "type" Global 1 1
    Dyn "dyn" Global 1 1
    Int "int" Global 1 1
    Uint "uint" Global 1 1
    Double "double" Global 1 1
    String "string" Global 1 1
    Bytes "bytes" Global 1 1
    Bool "bool" Global 1 1
    Duration "duration" Global 1 1
    Timestamp "timestamp" Global 1 1

    Contains "contains" Method 2 2
    StartsWith "startsWith" Method 2 2
    EndsWith "endsWith" Method 2 2
    Matches "matches" Both 2 2
    CharAt "charAt" Method 2 2
    IndexOf "indexOf" Method 2 3
    LastIndexOf "lastIndexOf" Method 2 3
    LowerAscii "lowerAscii" Method 1 1
    UpperAscii "upperAscii" Method 1 1
    Replace "replace" Method 3 4
    Split "split" Method 2 3
    Substring "substring" Method 2 3
    Trim "trim" Method 1 1
    Format "format" Method 2 2
    Quote "strings.quote" Global 1 1
    Join "join" Method 1 2
    Reverse "reverse" Method 1 1
    Find "find" Method 2 2
    FindAll "findAll" Method 2 3

    IsSorted "isSorted" Method 1 1
    Sum "sum" Method 1 1
    Min "min" Method 1 1
    Max "max" Method 1 1
    Slice "slice" Method 3 3
    Flatten "flatten" Method 1 2
    Sort "sort" Method 1 1
    Range "lists.range" Global 1 1
    Distinct "distinct" Method 1 1
    First "first" Method 1 1
    Last "last" Method 1 1
    SetsContains "sets.contains" Global 2 2
    SetsEquivalent "sets.equivalent" Global 2 2
    SetsIntersects "sets.intersects" Global 2 2

    OptionalOf "optional.of" Global 1 1
    OptionalOfNonZero "optional.ofNonZeroValue" Global 1 1
    OptionalNone "optional.none" Global 0 0
    HasValue "hasValue" Method 1 1
    OptionalValue "value" Method 1 1
    Or "or" Method 2 2
    OrValue "orValue" Method 2 2

    FullYear "getFullYear" Method 1 2
    Month "getMonth" Method 1 2
    Date "getDate" Method 1 2
    DayOfMonth "getDayOfMonth" Method 1 2
    DayOfWeek "getDayOfWeek" Method 1 2
    DayOfYear "getDayOfYear" Method 1 2
    Hours "getHours" Method 1 2
    Minutes "getMinutes" Method 1 2
    Seconds "getSeconds" Method 1 2
    Milliseconds "getMilliseconds" Method 1 2

    Url "url" Global 1 1
    IsUrl "isURL" Global 1 1
    Scheme "getScheme" Method 1 1
    Host "getHost" Method 1 1
    Hostname "getHostname" Method 1 1
    Port "getPort" Method 1 1
    EscapedPath "getEscapedPath" Method 1 1
    Query "getQuery" Method 1 1

    Quantity "quantity" Global 1 1
    IsQuantity "isQuantity" Global 1 1
    Sign "sign" Both 1 1
    IsInteger "isInteger" Method 1 1
    AsInteger "asInteger" Method 1 1
    AsFloat "asApproximateFloat" Method 1 1
    Add "add" Method 2 2
    Subtract "sub" Method 2 2
    IsGreaterThan "isGreaterThan" Method 2 2
    IsLessThan "isLessThan" Method 2 2
    CompareTo "compareTo" Method 2 2

    Semver "semver" Global 1 2
    IsSemver "isSemver" Global 1 2
    Major "major" Method 1 1
    Minor "minor" Method 1 1
    Patch "patch" Method 1 1

    Ip "ip" Both 1 1
    IsIp "isIP" Global 1 1
    IsCanonical "ip.isCanonical" Global 1 1
    Family "family" Method 1 1
    IsUnspecified "isUnspecified" Method 1 1
    IsLoopback "isLoopback" Method 1 1
    IsLinkLocalMulticast "isLinkLocalMulticast" Method 1 1
    IsLinkLocalUnicast "isLinkLocalUnicast" Method 1 1
    IsGlobalUnicast "isGlobalUnicast" Method 1 1
    Cidr "cidr" Global 1 1
    IsCidr "isCIDR" Global 1 1
    ContainsIp "containsIP" Method 2 2
    ContainsCidr "containsCIDR" Method 2 2
    PrefixLength "prefixLength" Method 1 1
    Masked "masked" Method 1 1

    FormatNamed "format.named" Global 1 1
    FormatDns1123Label "format.dns1123Label" Global 0 0
    FormatDns1123Subdomain "format.dns1123Subdomain" Global 0 0
    FormatDns1035Label "format.dns1035Label" Global 0 0
    FormatQualifiedName "format.qualifiedName" Global 0 0
    FormatDns1123LabelPrefix "format.dns1123LabelPrefix" Global 0 0
    FormatDns1123SubdomainPrefix "format.dns1123SubdomainPrefix" Global 0 0
    FormatDns1035LabelPrefix "format.dns1035LabelPrefix" Global 0 0
    FormatLabelValue "format.labelValue" Global 0 0
    FormatUri "format.uri" Global 0 0
    FormatUuid "format.uuid" Global 0 0
    FormatByte "format.byte" Global 0 0
    FormatDate "format.date" Global 0 0
    FormatDatetime "format.datetime" Global 0 0
    Validate "validate" Method 2 2
}

impl Function {
    /// The function of a name, in the form in which it is called.
    pub(super) fn find(name: &str, is_method: bool) -> Option<(Function, Arity)> {
        let wanted = if is_method {
            Form::Method
        } else {
            Form::Global
        };
        Function::TABLE
            .iter()
            .find(|(_, known, form, ..)| *known == name && (*form == Form::Both || *form == wanted))
            .map(|(function, _, _, min, max)| {
                let arity = Arity {
                    min: *min,
                    max: *max,
                };
                (*function, arity)
            })
    }

    /// Its name, for messages.
    fn name(self) -> &'static str {
        let row = Function::TABLE.iter().find(|(known, ..)| *known == self);
        row.map_or("", |(_, name, ..)| name)
    }

    /// What it says to values that it does not take.
    fn refuse(self, arguments: &[Value]) -> Failure {
        let arguments: Vec<&Value> = arguments.iter().collect();
        Failure::no_overload(self.name(), &arguments)
    }
}

/// Calls a function; the target of a method is its first argument.
pub(super) fn call(
    function: Function,
    arguments: &[Value],
    meter: &mut Meter<'_>,
) -> Result<Value> {
    meter.spend(arguments.iter().map(Value::weight).sum())?;
    let families = [
        convert::call,
        text::call,
        lists::call,
        times::call,
        kubernetes::call,
        net::call,
    ];
    for family in families {
        if let Some(result) = family(function, arguments, meter) {
            return result;
        }
    }
    Err(function.refuse(arguments))
}
