//! A load test of a broker in a process of its own, with an identity provider in this program that answers at once.
//!
//! `cargo run --profile dist --example load [-- SIGN_INS]` prints one JSON line per scenario: operations per second, p50 and
//! p99 in milliseconds, errors, CPU milliseconds per operation of the broker and of the PostgreSQL server, and the broker's
//! resident memory in MiB. It uses only loopback, makes a fixed number of operations and ends by itself.
//!
//! `load people [MOST [SIGN_INS]]` repeats it with 0, 1,000, ... MOST people in the store, `load parallel [SIGN_INS]` with 1,
//! 2, ... 64 sign-ins at a time; `examples/curves.mjs` draws their lines. `load pairs [PEOPLE [EXPIRED [ROUNDS [SIGN_INS]]]]`
//! compares a store with many people, from which expired rows have been swept, with a small one, in alternating rounds; before
//! them it runs the shell command in `BEFORE`.
//!
//! The store is a new SQLite file, or with `STORE=postgres://...` an empty PostgreSQL database on this machine. `{}` in the URL
//! stands for `load`, `people`, `parallel`, and for `pairs` for `small` and `full`.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]
#![expect(clippy::disallowed_methods, reason = "it measures time, and its provider has the machine's clock")]

use std::error::Error;
use std::sync::Arc;

use countersign::cli::{Environment, serve};
use serde_json::{Value, json};

mod agent;
mod broker;
mod curves;
mod idp;
mod measure;
#[path = "../seed.rs"]
#[expect(dead_code, reason = "its own `main` is not called here")]
mod seed;

use broker::Place;
use measure::{Scenario, run};

type Failure = Box<dyn Error + Send + Sync>;

/// The default number of sign-ins of a scenario.
const SIGN_INS: usize = 1000;

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut args = args.iter().map(String::as_str);
    let what = args.next();
    if what == Some("broker") {
        // The broker is this program in a second process: its CPU time and memory are measured separately, and it is built
        // with the same profile.
        let config = args.next().ok_or("broker needs a configuration")?;
        let config = countersign::cli::ConfigArgs { config: config.into(), overlay: Vec::new() };
        let _exit = serve::run(&serve::ServeArgs { file: None, config, shadow: None }, &Environment::new());
        return Ok(());
    }
    let mut number = |otherwise: usize| args.next().map_or(Ok(otherwise), str::parse);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match what {
        Some("people") => runtime.block_on(curves::people(number(1_000_000)?, number(SIGN_INS)?)),
        Some("parallel") => runtime.block_on(curves::parallel(number(SIGN_INS)?)),
        Some("pairs") => {
            let (people, expired) = (number(1_000_000)?, number(10_000_000)?);
            runtime.block_on(curves::pairs(people, expired, number(5)?, number(SIGN_INS)?))
        }
        count => runtime.block_on(load(count.map_or(Ok(SIGN_INS), str::parse)?)),
    }
}

/// Every scenario once.
async fn load(count: usize) -> Result<(), Failure> {
    let place = Place::new("load").await?;
    let broker = place.start().await?;
    println!(
        "{}",
        json!({
            "scenario": "restart", "first_answer_ms": broker.started.as_millis(),
            "broker_resident_mib": broker.resident()?,
        })
    );
    let sign_in = |prefix: &'static str| {
        let agent = Arc::clone(&broker.agent);
        move |n: usize| {
            let agent = Arc::clone(&agent);
            async move { agent.sign_in(&format!("{prefix}{n}")).await }
        }
    };
    let of = |name, count, parallel| Scenario { name, count, parallel };
    said(run(of("warm-up", 50, 1), &broker, sign_in("w")).await?);
    said(run(of("first sign-in", count / 4, 1), &broker, sign_in("a")).await?);
    let tokens = said(run(of("first sign-in", count, 8), &broker, sign_in("b")).await?);
    // The same people in other browsers: the usual sign-in.
    said(run(of("sign-in", count / 4, 1), &broker, sign_in("a")).await?);
    said(run(of("sign-in", count, 8), &broker, sign_in("b")).await?);
    let text =
        |n: usize, name: &str| tokens.get(n).and_then(|t| t.get(name)?.as_str().map(str::to_owned)).unwrap_or_default();
    let refresh = |n| {
        let (agent, token) = (Arc::clone(&broker.agent), text(n, "refresh_token"));
        async move { agent.token(&[("grant_type", "refresh_token"), ("refresh_token", &token)]).await }
    };
    said(run(of("refresh", tokens.len(), 8), &broker, refresh).await?);
    let userinfo = |n| {
        let (agent, token) = (Arc::clone(&broker.agent), text(n % tokens.len().max(1), "access_token"));
        async move { agent.userinfo(&token).await }
    };
    said(run(of("userinfo", count * 4, 8), &broker, userinfo).await?);
    let discovery = |_| {
        let agent = Arc::clone(&broker.agent);
        async move { agent.discovery().await }
    };
    said(run(of("discovery", count * 4, 8), &broker, discovery).await?);
    Ok(())
}

/// Prints the line of a scenario, and returns its results.
fn said<T>((results, line): (Vec<T>, Value)) -> Vec<T> {
    println!("{line}");
    results
}
