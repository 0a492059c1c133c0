#![expect(clippy::unwrap_used, reason = "tests")]

use super::exposition::Format;
use super::*;
use crate::audit::Identify;

/// The samples of a metric: what is in braces, and the value.
fn samples(metrics: &Metrics, name: &str) -> Vec<(String, u64)> {
    let mut exposition = Exposition::default();
    metrics.expose(&mut exposition);
    let text = exposition.render(Format::OpenMetrics);
    let of_metric = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{'));
    let sample = |line: &str| {
        let (labels, value) = line.rsplit_once("} ").unwrap();
        (labels.to_owned(), value.parse().unwrap())
    };
    of_metric.map(sample).collect()
}

fn sign_in(kind: Kind, client: &str, provider: &str) -> Event {
    Event::new(kind, 0, Identify::Username).client(client).provider(provider)
}

/// A scrape takes milliseconds as long as it has few thousands of lines, whatever the file and the people do.
#[test]
fn series_are_bounded_with_a_thousand_clients_and_nothing_goes_uncounted() {
    let metrics = Metrics::default();
    let clients: Vec<String> = (0..1000).map(|n| format!("client-{n}")).collect();
    let providers: Vec<String> = (0..20).map(|n| format!("provider-{n}")).collect();
    metrics.know(&clients, &providers);
    let mut counted = 0;
    for client in clients.iter().map(String::as_str).chain(["gone", ""]) {
        for provider in providers.iter().map(String::as_str).chain(["gone"]) {
            for kind in [Kind::SignIn, Kind::Refusal, Kind::TokenIssued] {
                metrics.event(&sign_in(kind, client, provider));
            }
            counted += 1;
        }
    }
    let sign_ins = samples(&metrics, "countersign_sign_ins_total");
    assert!(sign_ins.len() <= MOST + 2 * (providers.len() + 1), "{} series", sign_ins.len());
    assert_eq!(sign_ins.iter().map(|(_, value)| value).sum::<u64>(), 2 * counted);
    assert!(!sign_ins.iter().any(|(labels, _)| labels.contains("gone")), "a client that the file does not have");
    let tokens = samples(&metrics, "countersign_tokens_issued_total");
    assert_eq!((tokens.len(), tokens.iter().map(|(_, value)| value).sum::<u64>()), (1002, counted));
    let mut exposition = Exposition::default();
    metrics.expose(&mut exposition);
    let text = exposition.render(Format::Prometheus);
    let lines = text.lines().count();
    assert!(lines < 7_500 && text.len() < 1024 * 1024, "{lines} lines, {} bytes", text.len());
}

#[test]
fn labels_are_escaped() {
    let metrics = Metrics::default();
    let client = "a\"b\\c\nd".to_owned();
    metrics.know([&client], []);
    metrics.event(&sign_in(Kind::TokenIssued, &client, ""));
    let tokens = samples(&metrics, "countersign_tokens_issued_total");
    assert_eq!(tokens, [("client=\"a\\\"b\\\\c\\nd\",grant=\"first\"".to_owned(), 1)]);
}

#[test]
fn answers_of_any_status_and_place_are_recorded() {
    let metrics = Metrics::default();
    for (place, status) in [("token", 200), ("token", 503), ("no such place", 404), ("token", 0), ("token", 999)] {
        metrics.request(place, status, 0.002);
    }
    let responses = samples(&metrics, "countersign_responses_total");
    let counted: Vec<_> = responses.iter().filter(|(_, count)| *count > 0).map(|(labels, _)| labels.as_str()).collect();
    let mut counted = counted;
    counted.sort_unstable();
    let wanted = [
        "endpoint=\"other\",status=\"4xx\"",
        "endpoint=\"token\",status=\"1xx\"",
        "endpoint=\"token\",status=\"2xx\"",
        "endpoint=\"token\",status=\"5xx\"",
    ];
    assert_eq!(counted, wanted);
    let seconds = samples(&metrics, "countersign_request_duration_seconds_count");
    assert_eq!(seconds.iter().map(|(_, count)| count).sum::<u64>(), 5);
}
