//! The rows of a copy as statements and values of PostgreSQL. Columns that repeat a part of `data` are computed from it, and
//! where they take precedence over it, `data` is given the same value as it is read.

use serde_json::Value;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row as Found, types::FromSql};

use crate::store::encoding::{json, parse};
use crate::store::transfer::end::{Cell, Row};
use crate::store::transfer::tables::{Kind, Order, Table};
use crate::store::{Result, StoreError};

/// The columns of a table that are computed from `data`, and how.
fn computed(table: &Table) -> &'static [(&'static str, &'static str)] {
    match table.name {
        "sessions" => &[
            ("provider", "r.data::json #>> '{link,provider}'"),
            ("issuer", "r.data::json #>> '{link,issuer}'"),
            ("subject", "r.data::json #>> '{link,subject}'"),
            ("created_at", "(r.data::json ->> 'created_at')::bigint"),
        ],
        "codes" => {
            &[("client", "r.data::json #>> '{grant,client}'"), ("session_id", "r.data::json #>> '{grant,session_id}'")]
        }
        "grants" => &[
            ("provider", "r.data::json #>> '{link,provider}'"),
            ("issuer", "r.data::json #>> '{link,issuer}'"),
            ("subject", "r.data::json #>> '{link,subject}'"),
            ("dpop_jkt", "r.data::json ->> 'dpop_jkt'"),
            ("created_at", "(r.data::json ->> 'created_at')::bigint"),
        ],
        _ => &[],
    }
}

/// The members of `data` over which a column takes precedence: the path of each, and the column.
fn precedence(table: &Table) -> &'static [(&'static str, &'static str)] {
    match table.name {
        "codes" => &[("/grant/sid", "sid"), ("/grant/session_id", "session_id")],
        "grants" => &[("/dpop_jkt", "dpop_jkt")],
        _ => &[],
    }
}

/// The statement that reads a table, in order or not.
pub(crate) fn selection(table: &Table, ordered: bool) -> String {
    let columns: Vec<String> = table.columns.iter().map(|(name, _)| quoted(name)).collect();
    let taking_precedence = precedence(table).iter().map(|(_, column)| quoted(column));
    let columns: Vec<String> = columns.into_iter().chain(taking_precedence).collect();
    let filter = if table.name == "meta" { " WHERE key NOT IN ('ping', 'copy')" } else { "" };
    let order = match table.order {
        Order::Inserted if table.name == "pending" => "seq".to_owned(),
        Order::Inserted => "row".to_owned(),
        Order::Key(columns) => columns.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", "),
    };
    let order = if ordered { format!(" ORDER BY {order}") } else { String::new() };
    format!("SELECT {} FROM {}{filter}{order}", columns.join(", "), table.name)
}

/// The statement that inserts rows, given column by column, in their order.
pub(crate) fn insertion(table: &Table) -> String {
    let names: Vec<String> = table.columns.iter().map(|(name, _)| quoted(name)).collect();
    let computed = computed(table);
    let columns: Vec<String> = names.iter().cloned().chain(computed.iter().map(|(name, _)| quoted(name))).collect();
    let values = names.iter().map(|name| format!("r.{name}"));
    let values: Vec<String> = values.chain(computed.iter().map(|(_, value)| (*value).to_owned())).collect();
    let arrays = table.columns.iter().zip(1..).map(|((_, kind), number)| format!("${number}::{}[]", type_of(*kind)));
    format!(
        "INSERT INTO {} ({}) SELECT {} FROM unnest({}) WITH ORDINALITY AS r ({}, position) ORDER BY r.position",
        table.name,
        columns.join(", "),
        values.join(", "),
        arrays.collect::<Vec<_>>().join(", "),
        names.join(", ")
    )
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

const fn type_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Integer => "bigint",
        Kind::Flag => "boolean",
        Kind::Text => "text",
        Kind::Bytes => "bytea",
    }
}

/// Rows as the values of [`insertion`], column by column.
pub(crate) fn parameters(table: &Table, rows: Vec<Row>) -> Result<Vec<Box<dyn ToSql + Sync>>> {
    let mut columns: Vec<Vec<Cell>> = table.columns.iter().map(|_| Vec::with_capacity(rows.len())).collect();
    for row in rows {
        columns.iter_mut().zip(row).for_each(|(column, cell)| column.push(cell));
    }
    let kinds = table.columns.iter().map(|(_, kind)| *kind);
    kinds.zip(columns).map(|(kind, cells)| array(kind, cells)).collect()
}

/// The values of a column.
fn array(kind: Kind, cells: Vec<Cell>) -> Result<Box<dyn ToSql + Sync>> {
    fn all<T: ToSql + Sync + 'static>(
        cells: Vec<Cell>,
        value: impl Fn(Cell) -> Option<Option<T>>,
    ) -> Result<Box<dyn ToSql + Sync>> {
        let odd = || StoreError::Corrupt("a column has a value of another type".to_owned());
        let values = cells.into_iter().map(|cell| value(cell).ok_or_else(odd));
        Ok(Box::new(values.collect::<Result<Vec<Option<T>>>>()?))
    }
    match kind {
        Kind::Integer => all(cells, |cell| match cell {
            Cell::Null => Some(None),
            Cell::Integer(value) => Some(Some(value)),
            _ => None,
        }),
        Kind::Flag => all(cells, |cell| match cell {
            Cell::Integer(value) => Some(Some(value != 0)),
            _ => None,
        }),
        Kind::Text => all(cells, |cell| match cell {
            Cell::Null => Some(None),
            Cell::Text(text) => Some(Some(text)),
            _ => None,
        }),
        Kind::Bytes => all(cells, |cell| match cell {
            Cell::Null => Some(None),
            Cell::Bytes(bytes) => Some(Some(bytes)),
            _ => None,
        }),
    }
}

/// A row of [`selection`].
pub(crate) fn read(table: &Table, found: &Found) -> Result<Row> {
    let cells = table.columns.iter().enumerate().map(|(at, (_, kind))| cell(found, at, *kind));
    let mut row = cells.collect::<Result<Row>>()?;
    let precedence = precedence(table);
    if precedence.is_empty() {
        return Ok(row);
    }
    let data = row.iter_mut().zip(table.columns).find(|(_, (name, _))| *name == "data").map(|(cell, _)| cell);
    if let Some(Cell::Text(data)) = data {
        for (at, (path, _)) in precedence.iter().enumerate() {
            let value: Option<String> = found.try_get(table.columns.len() + at)?;
            give(data, path, value)?;
        }
    }
    Ok(row)
}

fn cell(found: &Found, at: usize, kind: Kind) -> Result<Cell> {
    fn value<'f, T: FromSql<'f>>(found: &'f Found, at: usize, cell: fn(T) -> Cell) -> Result<Cell> {
        Ok(found.try_get::<_, Option<T>>(at)?.map_or(Cell::Null, cell))
    }
    match kind {
        Kind::Integer => value(found, at, Cell::Integer),
        Kind::Flag => value(found, at, |flag: bool| Cell::Integer(flag.into())),
        Kind::Text => value(found, at, Cell::Text),
        Kind::Bytes => value(found, at, Cell::Bytes),
    }
}

/// Gives a member of a record this value, if it has another one.
fn give(data: &mut String, path: &str, value: Option<String>) -> Result<()> {
    let mut record: Value = parse("data", data.as_bytes())?;
    if record.pointer(path).and_then(Value::as_str) == value.as_deref() {
        return Ok(());
    }
    let (parent, member) = path.rsplit_once('/').unwrap_or(("", path));
    let Some(Value::Object(members)) = record.pointer_mut(parent) else {
        return Err(StoreError::Corrupt(format!("a record has nothing at {path}")));
    };
    members.insert(member.to_owned(), value.map_or(Value::Null, Value::String));
    *data = json(&record)?;
    Ok(())
}
