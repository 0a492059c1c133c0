//! The names that expressions know: functions, macros and types, and the internal functions that the rewriting of
//! [`meter`](crate::expression::meter) puts in.

// Internal functions. Expressions can't contain these names, because of the `@`.
pub(crate) const FINISH: &str = "@finish";
pub(crate) const RANGE: &str = "@range";
pub(crate) const COPY: &str = "@copy";
pub(crate) const SCAN: &str = "@scan";
pub(crate) const KEY: &str = "@key";
pub(crate) const CONCAT: &str = "@concat";
pub(crate) const MEMBER: &str = "@member";
pub(crate) const MATCHES: &str = "@matches";
pub(crate) const REPLACE: &str = "@replace";
pub(crate) const JOIN: &str = "@join";
pub(crate) const SPLIT: &str = "@split";

/// A function: how it is called, and how many arguments it takes (without the value that it is called on).
pub(crate) struct Function {
    /// Its name.
    pub(crate) name: &'static str,
    /// `x.f()`.
    pub(crate) method: bool,
    /// `f(x)`.
    pub(crate) global: bool,
    /// Its minimum and maximum number of arguments.
    pub(crate) args: (usize, usize),
    /// Whether it is one of ours, rather than part of the language or of its extensions.
    pub(crate) ours: bool,
}

const fn method(name: &'static str, least: usize, most: usize) -> Function {
    Function { name, method: true, global: false, args: (least, most), ours: false }
}

const fn global(name: &'static str) -> Function {
    Function { name, method: false, global: true, args: (1, 1), ours: false }
}

const fn both(name: &'static str, args: usize) -> Function {
    Function { name, method: true, global: true, args: (args, args), ours: false }
}

const fn ours(name: &'static str, args: usize) -> Function {
    Function { name, method: true, global: false, args: (args, args), ours: true }
}

/// Every function that an expression may call, except those with a namespace.
pub(crate) const FUNCTIONS: &[Function] = &[
    // The standard library (CEL language definition, "List of Standard Definitions").
    both("size", 0),
    both("matches", 1),
    method("contains", 1, 1),
    method("startsWith", 1, 1),
    method("endsWith", 1, 1),
    global("int"),
    global("uint"),
    global("double"),
    global("string"),
    global("bool"),
    global("bytes"),
    global("type"),
    global("dyn"),
    global("timestamp"),
    global("duration"),
    method("getDate", 0, 1),
    method("getDayOfMonth", 0, 1),
    method("getDayOfWeek", 0, 1),
    method("getDayOfYear", 0, 1),
    method("getFullYear", 0, 1),
    method("getHours", 0, 1),
    method("getMilliseconds", 0, 1),
    method("getMinutes", 0, 1),
    method("getMonth", 0, 1),
    method("getSeconds", 0, 1),
    // Optional values.
    method("hasValue", 0, 0),
    method("value", 0, 0),
    method("or", 1, 1),
    method("orValue", 1, 1),
    // The string extension.
    method("charAt", 1, 1),
    method("format", 1, 1),
    method("indexOf", 1, 2),
    method("join", 0, 1),
    method("lastIndexOf", 1, 2),
    method("lowerAscii", 0, 0),
    method("replace", 2, 3),
    method("reverse", 0, 0),
    method("split", 1, 2),
    method("substring", 1, 2),
    method("trim", 0, 0),
    method("upperAscii", 0, 0),
    // Ours.
    ours("after", 1),
    ours("asList", 0),
    ours("before", 1),
    ours("distinct", 0),
    ours("domain", 0),
    ours("flatten", 0),
    ours("intersects", 1),
    ours("lookup", 1),
    ours("lower", 0),
    ours("prefix", 1),
    ours("sha256", 0),
    ours("sorted", 0),
    ours("upper", 0),
];

/// Functions with a namespace, and their number of arguments.
pub(crate) const QUALIFIED: &[(&str, &str, usize)] =
    &[("optional", "none", 0), ("optional", "of", 1), ("optional", "ofNonZeroValue", 1), ("strings", "quote", 1)];

/// Macros, and their syntax. The parser has already expanded the well-formed ones.
pub(crate) const MACROS: &[(&str, &str)] = &[
    ("has", "has(claims.name)"),
    ("all", "list.all(x, condition)"),
    ("exists", "list.exists(x, condition)"),
    ("exists_one", "list.exists_one(x, condition)"),
    ("filter", "list.filter(x, condition)"),
    ("map", "list.map(x, value)"),
];

/// Names of types, which can be compared with `type(x)`.
pub(crate) const TYPES: &[&str] =
    &["bool", "bytes", "double", "int", "list", "map", "null_type", "optional_type", "string", "type", "uint"];
pub(crate) const QUALIFIED_TYPES: &[[&str; 3]] =
    &[["google", "protobuf", "Timestamp"], ["google", "protobuf", "Duration"]];

/// Whether a function's error messages are ours, which contain no values.
pub(crate) fn is_ours(function: &str) -> bool {
    function.starts_with('@') || FUNCTIONS.iter().any(|known| known.ours && known.name == function)
}

/// Every function and macro, for the test that compares the documentation with them.
#[cfg(test)]
pub(crate) fn known() -> impl Iterator<Item = &'static str> {
    let qualified = QUALIFIED.iter().map(|(_, name, _)| *name);
    FUNCTIONS.iter().map(|function| function.name).chain(MACROS.iter().map(|(name, _)| *name)).chain(qualified)
}
