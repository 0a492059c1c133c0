//! A mapping test as TOML.

use serde_json::{Map, Value};

use crate::config::language::mapping_test::{Expectation, MappingTest};
use crate::config::language::toml_text;

/// The test as one `[[tests]]` entry, a line for each key.
#[must_use]
pub fn to_toml(test: &MappingTest) -> String {
    let given = test.given.iter().map(|given| {
        let fields =
            [("username", Some(&given.username)), ("provider", given.provider.as_ref()), ("sub", given.sub.as_ref())];
        toml_text::inline_table(fields.into_iter().filter_map(|(key, value)| Some((key, toml_text::string(value?)))))
    });
    let rows = [
        ("name", Some(toml_text::string(&test.name))),
        ("provider", test.provider.as_deref().map(toml_text::string)),
        ("claims", test.claims.as_ref().map(object)),
        ("given", Some(toml_text::array(given))),
        ("client", test.client.as_deref().map(toml_text::string)),
        ("expect", Some(expected(&test.expect))),
    ];
    let rows = rows.into_iter().filter_map(|(key, value)| Some(format!("{key} = {}\n", value?)));
    std::iter::once("[[tests]]\n".to_owned()).chain(rows).collect()
}

fn expected(expect: &Expectation) -> String {
    let list = |items: &Vec<String>| toml_text::array(items.iter().map(|item| toml_text::string(item)));
    let parts = [
        ("refused", expect.refused.as_deref().map(toml_text::string)),
        ("roles", expect.roles.as_ref().map(list)),
        ("groups", expect.groups.as_ref().map(list)),
        ("claims", expect.claims.as_ref().map(object)),
        ("absent", Some(&expect.absent).filter(|absent| !absent.is_empty()).map(list)),
    ];
    toml_text::inline_table(parts.into_iter().filter_map(|(key, value)| Some((key, value?))))
}

fn object(members: &Map<String, Value>) -> String {
    toml_text::inline_table(members.iter().filter_map(|(key, value)| Some((key, toml_text::json(value)?))))
}
