//! A mapping test as TOML.

use serde_json::{Map, Value as Json};
use toml::{Table, Value};

use crate::config::language::mapping_test::{Expectation, GivenAccount, MappingTest};

/// The test as one `[[tests]]` entry, with a line for each key.
#[must_use]
pub fn to_toml(test: &MappingTest) -> String {
    let mut text = String::from("[[tests]]\n");
    let mut line = |key: &str, value: Option<Value>| {
        // Every value, including a table, is printed on one line.
        text.extend(value.map(|value| format!("{key} = {value}\n")));
    };
    line("name", Some(test.name.as_str().into()));
    line("provider", test.provider.as_deref().map(Value::from));
    line("claims", test.claims.as_ref().map(object));
    line("given", Some(Value::Array(test.given.iter().map(given).collect())));
    line("client", test.client.as_deref().map(Value::from));
    line("expect", Some(expect(&test.expect)));
    text
}

fn given(account: &GivenAccount) -> Value {
    let mut table = Table::new();
    table.insert("username".to_owned(), account.username.as_str().into());
    for (key, value) in [("provider", &account.provider), ("sub", &account.sub)] {
        table.extend(value.as_deref().map(|value| (key.to_owned(), value.into())));
    }
    Value::Table(table)
}

fn expect(expect: &Expectation) -> Value {
    let absent = Some(expect.absent.as_slice()).filter(|absent| !absent.is_empty());
    let entries = [
        ("refused", expect.refused.as_deref().map(Value::from)),
        ("roles", expect.roles.as_deref().map(list)),
        ("groups", expect.groups.as_deref().map(list)),
        ("claims", expect.claims.as_ref().map(object)),
        ("absent", absent.map(list)),
    ];
    let entries = entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Table(entries.collect())
}

fn list(items: &[String]) -> Value {
    Value::Array(items.iter().map(|item| item.as_str().into()).collect())
}

fn object(members: &Map<String, Json>) -> Value {
    Value::Table(members.iter().filter_map(|(key, value)| Some((key.clone(), toml(value)?))).collect())
}

/// A claim in TOML. Nulls are left out, because TOML has none.
fn toml(value: &Json) -> Option<Value> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(value) => (*value).into(),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => integer.into(),
            None => number.as_f64()?.into(),
        },
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => Value::Array(items.iter().filter_map(toml).collect()),
        Json::Object(members) => object(members),
    })
}
