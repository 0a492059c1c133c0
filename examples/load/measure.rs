//! Runs operations and measures them.

use std::time::Instant;

use serde_json::{Value, json};

use crate::Failure;
use crate::broker::Broker;

/// What is measured: a name, the number of operations, and how many are under way at a time.
#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) count: usize,
    pub(crate) parallel: usize,
}

/// Runs the operations, and returns their results and the line to print.
pub(crate) async fn run<F, Fut, T>(
    scenario: Scenario,
    broker: &Broker,
    operation: F,
) -> Result<(Vec<T>, Value), Failure>
where
    F: Fn(usize) -> Fut,
    Fut: Future<Output = Result<T, Failure>> + Send + 'static,
    T: Send + 'static,
{
    let Scenario { name, count, parallel } = scenario;
    let before = broker.cpu()?;
    let started = Instant::now();
    let (mut times, mut results, mut errors) = (Vec::with_capacity(count), Vec::with_capacity(count), 0_usize);
    let mut running = tokio::task::JoinSet::new();
    let mut next = 0;
    while next < count || !running.is_empty() {
        while next < count && running.len() < parallel {
            let work = operation(next);
            running.spawn(async move {
                let started = Instant::now();
                (work.await, started.elapsed())
            });
            next += 1;
        }
        if let Some(done) = running.join_next().await {
            match done? {
                (Ok(result), time) => {
                    results.push(result);
                    times.push(time.as_secs_f64() * 1000.0);
                }
                (Err(error), _) => {
                    if errors == 0 {
                        first_error(name, &error);
                    }
                    errors += 1;
                }
            }
        }
    }
    let elapsed = started.elapsed().as_secs_f64();
    let after = broker.cpu()?;
    times.sort_by(f64::total_cmp);
    let quantile =
        |q: usize| times.get((times.len() * q / 100).min(times.len().saturating_sub(1))).copied().unwrap_or_default();
    let each = |seconds: f64| round(seconds * 1000.0 / count as f64);
    let server = after.server.zip(before.server).map(|(after, before)| each(after - before));
    let line = json!({
        "scenario": name, "operations": count, "parallel": parallel, "errors": errors,
        "per_second": round(count as f64 / elapsed), "p50_ms": round(quantile(50)), "p99_ms": round(quantile(99)),
        "broker_cpu_ms": each(after.broker - before.broker), "server_cpu_ms": server,
        "broker_resident_mib": round(broker.resident()?),
    });
    Ok((results, line))
}

pub(crate) fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[expect(clippy::print_stderr, reason = "the first error of a scenario says what went wrong")]
fn first_error(name: &str, error: &Failure) {
    eprintln!("{name}: {error}");
}
