//! The looks of `[ui]`: what replaces texts, templates and colours, and what is refused of it.

use crate::pages::tests::*;

fn file(name: &str, text: &str) -> TemplateFile {
    TemplateFile { name: name.to_owned(), path: format!("looks/{name}").into(), text: text.to_owned() }
}

fn ui(toml: &str) -> Ui {
    toml::from_str(toml).unwrap()
}

/// What is wrong with a template: `name:line message [way out]`.
fn wrong(name: &str, text: &str) -> Vec<String> {
    let Err(PagesError::Looks(problems)) = Pages::with_looks("", &Ui::default(), &[file(name, text)]) else {
        return Vec::new();
    };
    let line = |problem: &LookProblem| {
        let place = match &problem.place {
            LookPlace::Key(path) => path.clone(),
            LookPlace::Template(name, line) => format!("{name}:{line}"),
        };
        format!("{place} {} [{}]", problem.message, problem.suggestion.clone().unwrap_or_default())
    };
    problems.iter().map(line).collect()
}

/// A built-in template.
fn source(name: &str) -> &'static str {
    TEMPLATES.iter().find(|(known, _)| *known == name).unwrap().1
}

#[test]
fn the_built_in_templates_pass_as_replacements() {
    let own: Vec<TemplateFile> = TEMPLATES
        .iter()
        .filter(|(name, _)| !name.contains("demo") && !name.contains("persona"))
        .map(|(name, text)| file(name, text))
        .collect();
    let pages = Pages::with_looks("/sso", &Ui::default(), &own).unwrap();
    let built_in = Pages::new("/sso").unwrap();
    for &lang in Lang::ALL {
        let view = sign_in(&plain, MANY);
        assert_eq!(pages.render(lang, &view).unwrap(), built_in.render(lang, &view).unwrap());
    }
}

#[test]
fn every_page_of_the_broker_has_samples() {
    let sampled: BTreeSet<&str> = samples::samples().iter().map(|sample| sample.template).collect();
    let own = TEMPLATES.iter().map(|(name, _)| *name);
    let pages = own.filter(|name| {
        !name.starts_with('_') && *name != "base.html" && !name.contains("demo") && !name.contains("persona")
    });
    assert_eq!(pages.collect::<BTreeSet<_>>(), sampled);
    assert!(samples::samples().iter().all(|sample| !sample.names.is_empty()));
}

#[test]
fn a_template_may_build_on_the_one_that_it_replaces_and_on_parts_of_its_own() {
    let files = [
        file(
            "base.html",
            "{% extends \"built-in/base.html\" %}{% block footer %}{% include \"_foot.html\" %}{% endblock %}",
        ),
        file("_foot.html", "<footer>{{ t(\"brand.name\") }}, Halle 7, {{ lang }}</footer>"),
    ];
    let looks = ui("[texts.\"*\"]\n\"brand.name\" = \"Nordwind & Söhne\"\n[texts.de]\n\"home.title\" = \"Anmeldung\"");
    let pages = Pages::with_looks("", &looks, &files).unwrap();
    let view = Home {
        issuer: "https://sso.example.com".to_owned(),
        user_name: None,
        sign_out_path: None,
        account_path: None,
        apps: Vec::new(),
    };
    let german = pages.render(Lang::De, &view).unwrap();
    assert!(german.contains("<footer>Nordwind &amp; Söhne, Halle 7, de</footer>"), "{german}");
    assert!(german.contains("<h1>Anmeldung</h1>") && german.contains("<link rel=\"stylesheet\""), "{german}");
    let english = pages.render(Lang::En, &view).unwrap();
    assert!(english.contains("<h1>Sign-in service</h1>") && english.contains("Halle 7, en"), "{english}");
}

#[test]
fn what_a_template_gets_wrong_is_found_when_it_is_loaded() {
    let home = |text: &str| format!("{{% extends \"base.html\" %}}\n{{% block main %}}\n{text}\n{{% endblock %}}");
    let cases = [
        ("home.html", "<p>\n{{ issuer }</p>".to_owned(), "home.html:2 the template does not compile: syntax error"),
        ("home.html", home("{{ isuer }}"), "home.html:3 the page has no value `isuer` [did you mean `issuer`?]"),
        ("home.html", home("{% if false %}{{ persona }}{% endif %}"), "home.html:3 the page has no value `persona`"),
        (
            "home.html",
            home("{{ t(\"home.titel\") }}"),
            "home.html:3 home.html can't be rendered: undefined value: nothing is called \"home.titel\"",
        ),
        ("home.html", home("{{ issuer.host.name }}"), "home.html:3 home.html can't be rendered: undefined value"),
        ("home.html", home("{{ issuer|uppercase }}"), "home.html:3 home.html can't be rendered: unknown filter"),
        (
            "home.html",
            home("{% include \"_none.html\" %}"),
            "home.html:3 home.html can't be rendered: template not found",
        ),
        ("home.html", "\n\n{% include \"home.html\" %}".to_owned(), "home.html:3 home.html can't be rendered: "),
        (
            "home.html",
            home("{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}"),
            "home.html:3 home.html can't be rendered: ",
        ),
        ("home.html", "{% extends \"home.html\" %}".to_owned(), "home.html:1 home.html can't be rendered: "),
        ("home.html", String::new(), "home.html:1 home.html must be a whole document"),
        ("error.html", "<p>Oh.</p>".to_owned(), "error.html:1 error.html must be a whole document"),
        ("home.html", home("{{ issuer|safe }}"), "home.html:1 home.html shows a value without escaping it"),
        (
            "home.html",
            home("{% autoescape false %}{{ issuer }}{% endautoescape %}"),
            "home.html:3 escaping can't be changed",
        ),
        ("home.html", home("<p onclick=\"x()\">"), "home.html:1 home.html has a script in an attribute"),
        ("home.html", home("<p class=a style='color: red'>"), "home.html:1 home.html has a style in an attribute"),
        ("home.html", home("<script>1</script>"), "home.html:1 home.html has a script in the page"),
        ("home.html", home("<style>p {}</style>"), "home.html:1 home.html has a style in the page"),
        ("hom.html", home(""), "hom.html:1 no page has a template \"hom.html\" [did you mean `home.html`?]"),
        ("demo_home.html", home(""), "demo_home.html:1 no page has a template \"demo_home.html\""),
        (
            "consent.html",
            source("consent.html").replace("{{ parts.hidden(form) }}", ""),
            "consent.html:1 consent.html must have the hidden fields of its form [in each form",
        ),
        (
            "sign_in.html",
            source("sign_in.html")
                .replace("provider.action_value", "provider.name")
                .replace("parts.provider_button(provider)", "provider.name"),
            "sign_in.html:1 sign_in.html must have a way to choose a provider",
        ),
        (
            "signed_out.html",
            source("signed_out.html").replace("{{- parts.frames(frames) }}", ""),
            "signed_out.html:1 signed_out.html must have the frames",
        ),
        (
            "redirect.html",
            source("redirect.html").replace("to.href", "to.host"),
            "redirect.html:1 redirect.html must have the address to go on to",
        ),
        (
            "base.html",
            "<p>{% block main %}{% endblock %}{{ nonsense }}</p>".to_owned(),
            "base.html:1 sign_in.html can't be rendered: undefined value",
        ),
        (
            "_parts.html",
            "{% macro fields(list) %}{% endmacro %}".to_owned(),
            "ui.templates sign_in.html can't be rendered with these templates",
        ),
        ("_parts.html", source("_parts.html").replace("{{ field.value }}", "{{ field.wert }}"), "_parts.html:"),
    ];
    for (name, text, said) in cases {
        let found = wrong(name, &text);
        assert!(found.iter().any(|line| line.starts_with(said)), "{name}\n{text}\n{found:#?}\nexpected {said}");
    }
}

#[test]
fn a_template_that_fails_at_run_time_gives_way_to_the_built_in_page() {
    // No sample has so long a name.
    let own = source("home.html").replace(
        "{{ t(\"home.title\") }}",
        "{% if user_name and user_name|length > 99 %}{{ user_name.no.such }}{% endif %}Ours",
    );
    let looks = ui("color = \"#1d4e89\"\n[texts.en]\n\"home.signed_in\" = \"Welcome back.\"");
    let pages = Pages::with_looks("", &looks, &[file("home.html", &own)]).unwrap();
    let home = |name: String| Home {
        issuer: "https://sso.example.com".to_owned(),
        user_name: Some(name),
        sign_out_path: None,
        account_path: None,
        apps: Vec::new(),
    };
    assert!(pages.render(Lang::En, &home("Alice".to_owned())).unwrap().contains("<h1>Ours</h1>"));
    let html = pages.render(Lang::En, &home("A".repeat(100))).unwrap();
    assert!(html.contains("<h1>Sign-in service</h1>") && html.contains("Welcome back."), "{html}");
    let blank = "{% if not user_name or user_name|length < 99 %}<html><title>x</title>{{ issuer }}{% endif %}";
    let blank = Pages::with_looks("", &looks, &[file("home.html", blank)]).unwrap();
    assert!(blank.render(Lang::En, &home("A".repeat(100))).unwrap().contains("<h1>Sign-in service</h1>"), "not empty");
    let (_, _, version) = pages.asset("style.css").unwrap();
    assert!(html.contains(&format!("style.css?v={version}")), "with the same colours");
}

#[test]
fn texts_of_the_file_are_checked_and_escaped() {
    let problems = |toml: &str| match Pages::with_looks("", &ui(toml), &[]) {
        Err(PagesError::Looks(problems)) => problems,
        other => unreachable!("{other:?}"),
    };
    for (toml, path, said, way_out) in [
        (
            "[texts.en]\n\"sign_in.titel\" = \"x\"",
            "ui.texts.en.\"sign_in.titel\"",
            "there is no text \"sign_in.titel\"",
            "`sign_in.title`",
        ),
        ("[texts.en]\n\"demo.title\" = \"x\"", "ui.texts.en.\"demo.title\"", "there is no text", ""),
        ("[texts.\"*\"]\nzzz = \"x\"", "ui.texts.\"*\".zzz", "there is no text", "docs/pages.md"),
        ("[texts.it]\n\"sign_in.title\" = \"x\"", "ui.texts.it", "there are no pages in \"it\"", "zh-Hans"),
        (
            "[texts.zh-hans]\n\"sign_in.title\" = \"x\"",
            "ui.texts.zh-hans",
            "there are no pages in",
            "did you mean `zh-Hans`?",
        ),
        (
            "[texts.en]\n\"sign_in.title\" = \"to {app}\"",
            "ui.texts.en.\"sign_in.title\"",
            "has the placeholder {app}, which the built-in text does not have: it has {client}",
            "",
        ),
        ("[texts.en]\n\"common.or\" = \"{client}\"", "ui.texts.en.\"common.or\"", "there is none in this text", ""),
        ("[texts.en]\n\"common.or\" = \"a } b\"", "ui.texts.en.\"common.or\"", "has an unbalanced brace", ""),
        ("[texts.en]\n\"common.or\" = \" \"", "ui.texts.en.\"common.or\"", "must not be empty", ""),
    ] {
        let found = problems(toml);
        let [problem] = found.as_slice() else { unreachable!("{toml}: {found:?}") };
        assert_eq!(problem.place, LookPlace::Key(path.to_owned()));
        assert!(problem.message.contains(said), "{toml}: {}", problem.message);
        assert!(problem.suggestion.clone().unwrap_or_default().contains(way_out), "{toml}: {:?}", problem.suggestion);
    }
    let looks = ui("[texts.en]\n\"sign_in.title\" = \"<b>Into {client}</b> & {client} {{ 7*7 }}\"");
    assert!(Pages::with_looks("", &looks, &[]).is_err(), "a place with an odd name");
    let looks = ui("[texts.en]\n\"sign_in.title\" = \"<b>Into {client}</b> & {client}\"");
    let html = Pages::with_looks("", &looks, &[]).unwrap().render(Lang::En, &sign_in(&plain, FEW)).unwrap();
    assert!(html.contains("<h1>&lt;b&gt;Into <bdi>Grafana</bdi>&lt;/b&gt; &amp; <bdi>Grafana</bdi></h1>"), "{html}");
}

#[test]
fn the_logo_is_on_every_page_with_its_alternative_text() {
    let looks = ui(
        "logo_uri = \"https://cdn.example/logo.svg?a=\\\"><script>\"\n[texts.en]\n\"brand.name\" = \"North <wind>\"",
    );
    let pages = Pages::with_looks("", &looks, &[]).unwrap();
    for sample in samples::samples() {
        let (_, environment) = pages.environments.first().unwrap();
        let html = environment.get_template(sample.template).unwrap().render(&sample.values).unwrap();
        let logo =
            "src=\"https:&#x2f;&#x2f;cdn.example&#x2f;logo.svg?a=%22%3E%3Cscript%3E\" alt=\"North &lt;wind&gt;\"";
        assert!(html.contains(logo) && !html.contains("mark.svg"), "{html}");
    }
    let view =
        Home { issuer: String::new(), user_name: None, sign_out_path: None, account_path: None, apps: Vec::new() };
    assert_eq!(
        pages.pictures(&view).map(url::Url::as_str).collect::<Vec<_>>(),
        ["https://cdn.example/logo.svg?a=%22%3E%3Cscript%3E"]
    );
    assert_eq!(Pages::new("").unwrap().pictures(&view).count(), 0);
}

#[test]
fn the_documentation_has_every_text_and_every_value() {
    let docs = include_str!("../../../docs/pages.md");
    let english: std::collections::BTreeMap<String, String> =
        serde_json::from_str(include_str!("../../../templates/messages/en.json")).unwrap();
    for (key, text) in english.iter().filter(|(key, _)| !key.starts_with("demo.") && !key.starts_with("persona.")) {
        assert!(docs.contains(&format!("| `{key}` | {text} |\n")), "docs/pages.md must have {key}: {text}");
    }
    for sample in samples::samples() {
        let row = docs.lines().find(|line| line.starts_with(&format!("| `{}` |", sample.template))).unwrap();
        for name in &sample.names {
            assert!(row.contains(&format!("`{name}`")), "docs/pages.md: {} has `{name}`", sample.template);
        }
    }
}
