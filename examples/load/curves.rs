//! Sign-ins against the number of people in the store, against the number of sign-ins at a time, and a large store against a
//! small one.

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use crate::broker::{Broker, Place};
use crate::measure::{Scenario, round, run};
use crate::{Failure, seed};

/// How many sign-ins are under way at a time, unless that is what varies.
const PARALLEL: usize = 8;
/// The numbers of people of the curve.
const PEOPLE: [usize; 5] = [0, 1_000, 10_000, 100_000, 1_000_000];
/// The numbers of sign-ins at a time of the curve.
const AT_A_TIME: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
/// People of the smaller store of [`pairs`].
const SMALL: usize = 1_000;
/// A prime: people are picked in steps of it, so that they are spread over the whole store.
const STEP: usize = 611_953;

/// Prints a line for each number of people up to `most`.
pub(crate) async fn people(most: usize, count: usize) -> Result<(), Failure> {
    let place = Place::new("people").await?;
    let mut there = 0;
    for (round, people) in PEOPLE.into_iter().filter(|people| *people <= most).enumerate() {
        seed(&place, there..people, 0).await?;
        there = people;
        let broker = place.start().await?;
        let about = json!({ "curve": "people", "store": place.kind(), "people": people, "start_ms": started(&broker) });
        warm_up(&broker, round).await?;
        print(about.clone(), new_people(&broker, round, count).await?);
        if people > 0 {
            print(about, known_people(&broker, (round * count)..((round + 1) * count), people).await?);
        }
    }
    Ok(())
}

/// Prints a line for each number of sign-ins at a time.
pub(crate) async fn parallel(count: usize) -> Result<(), Failure> {
    let place = Place::new("parallel").await?;
    seed(&place, 0..SMALL, 0).await?;
    let broker = place.start().await?;
    warm_up(&broker, 0).await?;
    for parallel in AT_A_TIME {
        let scenario = Scenario { name: "sign-in", count, parallel };
        let (_, line) = run(scenario, &broker, operation(&broker, |n| format!("upstream-{}", n % SMALL))).await?;
        print(json!({ "curve": "parallel", "store": place.kind() }), line);
    }
    Ok(())
}

/// Compares a store of `people` from which `expired` rows have been swept with one of [`SMALL`] people, in alternating rounds.
pub(crate) async fn pairs(people: usize, expired: usize, rounds: usize, count: usize) -> Result<(), Failure> {
    let (small, full) = (Place::new("small").await?, Place::new("full").await?);
    seed(&small, 0..SMALL, 0).await?;
    seed(&full, 0..people, expired).await?;
    if let Ok(command) = std::env::var("BEFORE") {
        // Such as the vacuum that PostgreSQL would do by itself in the next minutes.
        let done = std::process::Command::new("sh").args(["-c", &command]).status()?;
        done.success().then_some(()).ok_or("the command of BEFORE failed")?;
    }
    let stores = [(small.start().await?, SMALL), (full.start().await?, people)];
    for (broker, people) in &stores {
        print(
            json!({ "curve": "pairs", "store": full.kind(), "people": people }),
            json!({ "scenario": "restart", "start_ms": started(broker), "broker_resident_mib": round(broker.resident()?) }),
        );
        warm_up(broker, 0).await?;
    }
    for round in 0..rounds {
        for at in 0..stores.len() {
            // Each store is first in every other round.
            let Some((broker, people)) = stores.get((at + round) % stores.len()) else { continue };
            let about = json!({ "curve": "pairs", "store": full.kind(), "people": people, "round": round });
            print(about.clone(), new_people(broker, round + 1, count).await?);
            print(about, known_people(broker, (round * count)..((round + 1) * count), *people).await?);
        }
    }
    Ok(())
}

async fn seed(place: &Place, people: std::ops::Range<usize>, expired: usize) -> Result<(), Failure> {
    if people.is_empty() {
        return Ok(());
    }
    let (file, started) = (place.config().display().to_string(), Instant::now());
    let (of, to) = (people.len(), people.end);
    seed::fill(&file, people, expired).await.map_err(|error| error.to_string())?;
    let (seeded, started) = (started.elapsed(), Instant::now());
    if expired > 0 {
        seed::sweep(&file).await.map_err(|error| error.to_string())?;
    }
    print(
        json!({ "scenario": "seed", "store": place.kind(), "people": to }),
        json!({
            "added": of, "seconds": round(seeded.as_secs_f64()), "swept": expired,
            "sweep_seconds": round(started.elapsed().as_secs_f64()),
        }),
    );
    Ok(())
}

fn started(broker: &Broker) -> f64 {
    round(broker.started.as_secs_f64() * 1000.0)
}

/// An operation that signs in the person with this number.
fn operation(
    broker: &Broker,
    subject: impl Fn(usize) -> String,
) -> impl Fn(usize) -> std::pin::Pin<Box<dyn Future<Output = Result<Value, Failure>> + Send>> {
    let agent = Arc::clone(&broker.agent);
    move |n| {
        let (agent, subject) = (Arc::clone(&agent), subject(n));
        Box::pin(async move { agent.sign_in(&subject).await })
    }
}

async fn warm_up(broker: &Broker, round: usize) -> Result<(), Failure> {
    let scenario = Scenario { name: "warm-up", count: 50, parallel: 1 };
    run(scenario, broker, operation(broker, |n| format!("w{round}-{n}"))).await.map(drop)
}

async fn new_people(broker: &Broker, round: usize, count: usize) -> Result<Value, Failure> {
    let scenario = Scenario { name: "first sign-in", count, parallel: PARALLEL };
    Ok(run(scenario, broker, operation(broker, |n| format!("n{round}-{n}"))).await?.1)
}

/// Sign-ins of people who are spread over the store.
async fn known_people(broker: &Broker, which: std::ops::Range<usize>, people: usize) -> Result<Value, Failure> {
    let scenario = Scenario { name: "sign-in", count: which.len(), parallel: PARALLEL };
    let subject = |n: usize| format!("upstream-{}", (which.start + n) * STEP % people);
    Ok(run(scenario, broker, operation(broker, subject)).await?.1)
}

fn print(mut about: Value, line: Value) {
    if let (Some(about), Value::Object(line)) = (about.as_object_mut(), line) {
        about.extend(line);
    }
    println!("{about}");
}
