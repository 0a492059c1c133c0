//! The cost of a scrape with 1,000 clients and 20 providers, each pair of which has signed somebody in or refused somebody.

use countersign::audit::{Event, Identify, Kind};
use countersign::metrics::Metrics;
use countersign::metrics::exposition::{Exposition, Format};

fn main() {
    divan::main();
}

fn recorded() -> Metrics {
    let metrics = Metrics::default();
    let clients: Vec<String> = (0..1000).map(|n| format!("client-{n}")).collect();
    let providers: Vec<String> = (0..20).map(|n| format!("provider-{n}")).collect();
    metrics.know(&clients, &providers);
    for (index, client) in clients.iter().enumerate() {
        for provider in &providers {
            let kind = if index % 2 == 0 { Kind::SignIn } else { Kind::Refusal };
            metrics.event(&Event::new(kind, 0, Identify::Username).client(client).provider(provider));
            metrics.event(&Event::new(Kind::TokenIssued, 0, Identify::Username).client(client));
        }
    }
    metrics
}

#[divan::bench(args = [Format::OpenMetrics, Format::Prometheus])]
fn scrape(bencher: divan::Bencher<'_, '_>, format: Format) {
    let metrics = recorded();
    bencher.bench_local(|| {
        let mut exposition = Exposition::default();
        metrics.expose(&mut exposition);
        exposition.render(format).len()
    });
}
