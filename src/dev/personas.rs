//! The people of the simulated providers: those of the file's `[[tests]]`, and somebody made up where a provider has none.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::pages;

/// A person who can sign in at a simulated provider.
#[derive(Clone, Debug, PartialEq)]
pub struct Persona {
    /// Short name, for links and the command line; unique.
    pub id: String,
    /// Full name.
    pub name: String,
    /// What the person shows: the name of the test.
    pub description: String,
    /// Id of the provider.
    pub provider: String,
    /// Key of the app that the test signs in to.
    pub client: Option<String>,
    /// The claims, including `sub`.
    pub claims: Map<String, Value>,
}

impl Persona {
    /// The person as the pages show them; `path` signs in as them.
    #[must_use]
    pub fn view(&self, path: Option<String>) -> pages::Persona {
        pages::Persona {
            id: self.id.clone(),
            name: self.name.clone(),
            description: self.description.clone(),
            path,
            claims: Value::Object(self.claims.clone()),
        }
    }
}

/// Everyone, in the order of the file.
#[must_use]
pub fn personas(config: &Config) -> Vec<Persona> {
    let mut all: Vec<Persona> = Vec::new();
    let mut taken = BTreeSet::new();
    let tests = config.tests.iter().filter_map(|test| Some((test, test.provider.as_ref()?, test.claims.as_ref()?)));
    for (test, provider, claims) in tests.filter(|(_, provider, _)| config.providers.contains_key(*provider)) {
        if all.iter().any(|known| known.provider == *provider && known.claims == *claims) {
            continue;
        }
        let id = unique(&short(claims, provider), &mut taken);
        let name = text(claims, &["name", "preferred_username", "email", "sub"]).unwrap_or(&id).to_owned();
        let (description, client) = (test.name.clone(), test.client.clone());
        all.push(Persona { name, description, provider: provider.clone(), client, claims: claims.clone(), id });
    }
    for (id, provider) in &config.providers {
        if provider.enabled && !all.iter().any(|persona| persona.provider == *id) {
            let domain = provider.domains.first().map_or("corp.example", String::as_str);
            all.push(made_up(id, domain, &mut taken));
        }
    }
    for persona in &mut all {
        let sub = Value::from(persona.id.as_str());
        persona.claims.entry("sub").or_insert(sub);
    }
    all
}

/// The persona with this short name.
#[must_use]
pub fn persona(config: &Config, id: &str) -> Option<Persona> {
    personas(config).into_iter().find(|persona| persona.id == id)
}

/// Somebody of a provider that no test names.
fn made_up(provider: &str, domain: &str, taken: &mut BTreeSet<String>) -> Persona {
    let id = unique(&format!("sam-{provider}"), taken);
    let claims = json!({
        "sub": id, "preferred_username": format!("{id}@{domain}"), "name": "Sam Sample", "given_name": "Sam",
        "family_name": "Sample", "email": format!("{id}@{domain}"), "email_verified": true, "groups": [],
    });
    Persona {
        name: "Sam Sample".to_owned(),
        description: format!("Made up: no [[tests]] of the file sign in through {provider}"),
        provider: provider.to_owned(),
        client: None,
        claims: claims.as_object().cloned().unwrap_or_default(),
        id,
    }
}

fn text<'c>(claims: &'c Map<String, Value>, names: &[&str]) -> Option<&'c str> {
    names.iter().filter_map(|name| claims.get(*name)?.as_str()).find(|text| !text.is_empty())
}

/// A short name: what is before the `@`, in characters that need no quoting.
fn short(claims: &Map<String, Value>, provider: &str) -> String {
    let names = ["preferred_username", "username", "upn", "email", "name", "sub"];
    let named = names.iter().filter_map(|name| claims.get(*name)?.as_str()).map(|text| {
        let local = text.split('@').next().unwrap_or_default().to_lowercase();
        let plain = local.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect::<String>();
        plain.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
    });
    named.into_iter().find(|name| !name.is_empty()).unwrap_or_else(|| provider.to_owned())
}

fn unique(name: &str, taken: &mut BTreeSet<String>) -> String {
    let numbered = (2_u32..).map(|number| format!("{name}-{number}"));
    let free = std::iter::once(name.to_owned()).chain(numbered).find(|name| !taken.contains(name));
    let name = free.unwrap_or_default();
    taken.insert(name.clone());
    name
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    fn of(tests: &str) -> Vec<Persona> {
        let file = format!(
            "issuer = \"https://sso.example\"\n[providers.corp]\nclient_id = \"c\"\ndomains = [\"corp.test\"]\n\
             [providers.other]\nclient_id = \"c\"\n{tests}"
        );
        personas(&toml::from_str(&file).unwrap())
    }

    #[test]
    fn people_come_from_the_tests_and_where_there_are_none_somebody_is_made_up() {
        let ada = "claims = { sub = \"1\", preferred_username = \"Ada.L@corp.test\", groups = [\"a\"] }\nexpect = {}\n";
        let test = |name: &str| format!("[[tests]]\nname = \"{name}\"\nprovider = \"other\"\n{ada}");
        let all = of(&[test("first"), test("the same claims again"), test("x").replace("\"a\"", "\"b\"")].concat());
        let ids: Vec<_> = all.iter().map(|persona| (persona.id.as_str(), persona.provider.as_str())).collect();
        assert_eq!(ids, [("ada-l", "other"), ("ada-l-2", "other"), ("sam-corp", "corp")]);
        assert_eq!(all[0].description, "first");
        assert_eq!(all[2].claims["email"], "sam-corp@corp.test");
    }

    #[test]
    fn a_person_without_a_usable_name_or_subject_still_has_one() {
        let test = "[[tests]]\nname = \"t\"\nprovider = \"corp\"\nclaims = { name = \"王小明\" }\nexpect = {}\n";
        let all = of(test);
        assert_eq!((all[0].id.as_str(), all[0].name.as_str()), ("corp", "王小明"));
        assert_eq!(all[0].claims["sub"], "corp");
    }
}
