//! The people of the simulated provider.

use serde_json::{Map, Value, json};

/// A person who can sign in at the simulated provider.
pub struct Persona {
    /// Short name, for the command line.
    pub id: &'static str,
    /// Full name.
    pub name: &'static str,
    /// A short description.
    pub description: &'static str,
    claims: fn() -> Value,
}

impl Persona {
    /// The provider's claims about this person, including `sub`.
    #[must_use]
    pub fn claims(&self) -> Map<String, Value> {
        match (self.claims)() {
            Value::Object(claims) => claims,
            _ => Map::new(),
        }
    }

    /// The person as the pages show them.
    #[must_use]
    pub fn view(&self) -> crate::pages::Persona {
        crate::pages::Persona {
            id: self.id.to_owned(),
            name: self.name.to_owned(),
            description: self.description.to_owned(),
            claims: Value::Object(self.claims()),
        }
    }
}

/// Everyone.
pub const PERSONAS: &[Persona] = &[
    Persona {
        id: "alice",
        name: "Alice Jansen",
        description: "SRE, on call: becomes admin by a role rule",
        claims: || {
            json!({
                "sub": "1001", "preferred_username": "alice@corp.example", "name": "Alice Jansen", "given_name": "Alice",
                "family_name": "Jansen", "email": "alice@corp.example", "email_verified": true,
                "groups": ["sre", "oncall", "team-payments-admins"], "department": "Platform"
            })
        },
    },
    Persona {
        id: "bob",
        name: "Bob Keller",
        description: "Contractor: may read but not change anything",
        claims: || {
            json!({
                "sub": "1002", "preferred_username": "bob@contractors.example", "name": "Bob Keller", "given_name": "Bob",
                "family_name": "Keller", "email": "bob@contractors.example", "email_verified": true,
                "groups": ["contractors"]
            })
        },
    },
    Persona {
        id: "xiaoming",
        name: "王小明",
        description: "A developer whose name is Chinese",
        claims: || {
            json!({
                "sub": "1003", "preferred_username": "xiaoming@corp.example", "name": "王小明", "given_name": "小明",
                "family_name": "王", "email": "xiaoming@corp.example", "email_verified": true, "locale": "zh-Hans",
                "groups": ["developers", "team-search-viewers"]
            })
        },
    },
    Persona {
        id: "layla",
        name: "ليلى حداد",
        description: "A developer whose name is written from right to left",
        claims: || {
            json!({
                "sub": "1004", "preferred_username": "layla@corp.example", "name": "ليلى حداد", "given_name": "ليلى",
                "family_name": "حداد", "email": "layla@corp.example", "email_verified": true, "locale": "ar",
                "groups": ["developers"]
            })
        },
    },
    Persona {
        id: "mallory",
        name: "Mallory Stranger",
        description: "From another company: the file refuses her",
        claims: || {
            json!({
                "sub": "1005", "preferred_username": "mallory@elsewhere.example", "name": "Mallory Stranger",
                "email": "mallory@elsewhere.example", "email_verified": false, "groups": ["sre"]
            })
        },
    },
];

/// The persona with this short name.
#[must_use]
pub fn persona(id: &str) -> Option<&'static Persona> {
    PERSONAS.iter().find(|persona| persona.id == id)
}
