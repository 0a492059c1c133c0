//! Samples of the pages of `countersign dev`.

use super::*;
use crate::pages::console::UnmatchedRow;

fn personas(fill: Fill, link: bool) -> Vec<Persona> {
    let persona = |id: &str, name: &str, description: &str, groups: &[&str]| Persona {
        id: fill(id),
        name: fill(name),
        description: fill(description),
        path: link.then(|| "/start?persona=alice".to_owned()),
        claims: json!({
            "sub": fill(id), "name": fill(name), "email": fill(&format!("{id}@corp.example")),
            "email_verified": true, "groups": groups, "auth_time": 1_794_000_000,
        }),
    };
    vec![
        persona("alice", "Alice Moreau", "SRE, member of grafana-users", &["sre", "grafana-users"]),
        persona("mei", "林美 Mei Lin", "Guest of a partner, address not verified", &["partners"]),
    ]
}

fn nav(fill: Fill, page: &'static str) -> DemoNav {
    DemoNav { page, user_name: Some(fill("Alice Moreau")), file: fill("broker.toml"), generation: 2, problems: None }
}

fn condition(fill: Fill) -> Obstacle {
    let absent = ReadRow { name: fill("claims.department"), value: None, left_out: 0 };
    let read = ReadRow { name: fill("groups"), value: Some(fill("[\"sre\"]")), left_out: 3 };
    let near_misses = vec![fill("'/sre' is not 'sre'")];
    Obstacle { expression: fill("'sre' in groups"), values: vec![read, absent], near_misses }
}

fn steps(fill: Fill) -> Vec<DemoStep> {
    [
        ("claims", "username mapped", Some("broker.toml:14"), true),
        ("account", "created", None, false),
        ("roles", "role admin: by rule", Some("broker.toml:31"), true),
    ]
    .map(|(stage, text, place, expression)| DemoStep {
        line: TraceLine { stage: stage.to_owned(), text: fill(text), place: place.map(fill) },
        path: place.map(|_| "/file?line=14#L14".to_owned()),
        result: expression.then(|| fill("\"alice\"")),
        condition: expression.then(|| condition(fill)),
    })
    .into()
}

fn tokens(fill: Fill) -> DemoTokens {
    let mut id_token = json!({
        "iss": "https://sso.example.com", "sub": "u-7Qd0mX2", "aud": "demo", "exp": 1_794_003_600, "iat": 1_794_000_000,
        "name": fill("Alice Moreau"), "groups": [fill("sre"), fill("grafana-users")], "grafana_role": fill("Admin"),
    });
    id_token.as_object_mut().unwrap().insert(fill("address"), json!({ "locality": fill("Lyon") }));
    let unmatched = UnmatchedRow {
        text: fill("its condition does not hold"),
        roles: vec![fill("admin")],
        place: fill("broker.toml:40"),
        condition: Some(condition(fill)),
    };
    DemoTokens {
        nav: nav(fill, "tokens"),
        user_name: fill("Alice Moreau"),
        access_token: json!({ "iss": "https://sso.example.com", "scope": fill("openid"), "exp": 1_794_003_600 }),
        userinfo: json!({ "sub": "u-7Qd0mX2", "name": fill("Alice Moreau"), "groups": [fill("sre")] }),
        id_token,
        steps: steps(fill),
        unmatched: vec![unmatched],
        refused: None,
        proposal: fill("[providers.corp.claims]\nusername = \"claims.email\""),
        refresh: Some(form(fill)),
        sign_out: form(fill),
    }
}

/// With everything, and with as little as can be.
pub(super) fn add_samples(all: &mut Vec<Sample>, fill: Fill) {
    let providers = [None, Some("down")].map(|now| DemoFault {
        id: fill("corp"),
        name: fill("Corporate account"),
        now,
        ways: vec!["down", "credentials", "page", "expired", "audience", "signature"],
    });
    let home = DemoHome {
        nav: nav(fill, "home"),
        issuer: fill("http://localhost:8080"),
        apps: vec![DemoApp { name: fill("Grafana"), path: "/start?client=grafana".to_owned() }],
        personas: personas(fill, true),
        providers: providers.into(),
        switch: form(fill),
    };
    add(all, "demo", &home);
    let problems = DemoNav { problems: Some(fill("error: unknown key")), user_name: None, ..nav(fill, "home") };
    add(all, "demo-problems", &DemoHome { nav: problems, ..home });
    add(all, "demo-tokens", &tokens(fill));
    let refused = Some("not_allowed".to_owned());
    add(
        all,
        "demo-tokens-plain",
        &DemoTokens { refresh: None, unmatched: Vec::new(), refused, proposal: String::new(), ..tokens(fill) },
    );
    let full = DemoRefused {
        nav: nav(fill, "refused"),
        reason_code: fill("not_allowed"),
        description: fill("You may not."),
        trace_id: Some(fill("4k7")),
        steps: steps(fill),
        refused_by: Some(condition(fill)),
        failure: Some(fill("token response: status 503")),
        proposal: fill("[providers.corp.claims]\nusername = \"claims.email\""),
        again_path: "/start?persona=alice".to_owned(),
    };
    let (description, trace_id, failure, proposal) = (String::new(), None, None, String::new());
    let steps = Vec::new();
    let bare = DemoRefused { description, trace_id, steps, refused_by: None, failure, proposal, ..full.clone() };
    add(all, "demo-refused", &full);
    add(all, "demo-refused-plain", &bare);
    let line = |number| DemoLine { number, text: fill("issuer = \"https://sso.example.com\""), lit: number == 2 };
    let other = DemoApp { name: fill("teams/a.toml"), path: "/file?name=a".to_owned() };
    let file = DemoFile {
        nav: nav(fill, "file"),
        name: fill("broker.toml"),
        others: vec![other],
        lines: (1..4).map(line).collect(),
        on_disk: true,
        raw_path: None,
    };
    add(all, "demo-file", &file);
    add(all, "demo-file-built-in", &DemoFile { others: Vec::new(), on_disk: false, raw_path: Some("/x.toml"), ..file });
    add(
        all,
        "personas",
        &PersonaPicker {
            provider_name: fill("Example Corp"),
            personas: personas(fill, false),
            action: "/corp/authorize".to_owned(),
            fields: vec![Field::new("state", fill("s-456"))],
        },
    );
}
