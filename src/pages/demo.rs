//! The pages of `countersign dev`: the demo app, and the sign-in page of its simulated providers.

use serde::Serialize;

use crate::pages::console::{Obstacle, UnmatchedRow};
use crate::pages::json;
use crate::pages::views::{Field, PostForm, TraceLine, templates};

/// A person of a simulated provider.
#[derive(Clone, Debug, Serialize)]
pub struct Persona {
    /// What the form sends as `persona`.
    pub id: String,
    /// Full name.
    pub name: String,
    /// What the person shows in a trial.
    pub description: String,
    /// The path that signs in as this person, where it is a link.
    pub path: Option<String>,
    /// What the simulated provider says about the person.
    #[serde(serialize_with = "json::as_html")]
    pub claims: serde_json::Value,
}

/// What is at the top of each page of the demo app.
#[derive(Clone, Debug, Serialize)]
pub struct DemoNav {
    /// Which page it is: `home`, `tokens`, `file` or `refused`.
    pub page: &'static str,
    /// Who is signed in.
    pub user_name: Option<String>,
    /// The name of the main file.
    pub file: String,
    /// The configuration generation in force.
    pub generation: u64,
    /// What is wrong with the file as it was saved last, while an older generation is in force.
    pub problems: Option<String>,
}

/// An app that the demo app can play.
#[derive(Clone, Debug, Serialize)]
pub struct DemoApp {
    /// Its name.
    pub name: String,
    /// The path that signs in to it.
    pub path: String,
}

/// A provider, and the switch that breaks it.
#[derive(Clone, Debug, Serialize)]
pub struct DemoFault {
    /// The provider's id, which the form sends as `provider`.
    pub id: String,
    /// The provider's name.
    pub name: String,
    /// How it is broken.
    pub now: Option<&'static str>,
    /// How it can be broken: the form sends one as `fault`.
    pub ways: Vec<&'static str>,
}

/// The demo app's first page.
#[derive(Clone, Debug, Serialize)]
pub struct DemoHome {
    /// The frame.
    pub nav: DemoNav,
    /// The broker's issuer.
    pub issuer: String,
    /// The apps, at least one.
    pub apps: Vec<DemoApp>,
    /// Who one can be.
    pub personas: Vec<Persona>,
    /// The providers.
    pub providers: Vec<DemoFault>,
    /// The form of the switch.
    pub switch: PostForm,
}

/// A step of the decision, with the expression behind it.
#[derive(Clone, Debug, Serialize)]
pub struct DemoStep {
    /// The step.
    #[serde(flatten)]
    pub line: TraceLine,
    /// The path that shows the line of the file.
    pub path: Option<String>,
    /// The value that it gave, as JSON.
    pub result: Option<String>,
    /// The expression with the values that it read.
    pub condition: Option<Obstacle>,
}

/// The demo app, signed in: what came, and why.
#[derive(Clone, Debug, Serialize)]
pub struct DemoTokens {
    /// The frame.
    pub nav: DemoNav,
    /// Who is signed in.
    pub user_name: String,
    /// The ID token's claims.
    #[serde(serialize_with = "json::as_html")]
    pub id_token: serde_json::Value,
    /// The access token's claims.
    #[serde(serialize_with = "json::as_html")]
    pub access_token: serde_json::Value,
    /// The userinfo response.
    #[serde(serialize_with = "json::as_html")]
    pub userinfo: serde_json::Value,
    /// How the broker decides now.
    pub steps: Vec<DemoStep>,
    /// The role rules that did not match.
    pub unmatched: Vec<UnmatchedRow>,
    /// The reason code, where the file would refuse the person by now.
    pub refused: Option<String>,
    /// Lines for the file, TOML, for what the provider sends and the file does not map; empty if there are none.
    pub proposal: String,
    /// Refreshes the tokens, where there is a refresh token.
    pub refresh: Option<PostForm>,
    /// Signs out.
    pub sign_out: PostForm,
}

/// The demo app when a sign-in ended without tokens.
#[derive(Clone, Debug, Serialize)]
pub struct DemoRefused {
    /// The frame.
    pub nav: DemoNav,
    /// The reason code, or the code of an OAuth error.
    pub reason_code: String,
    /// What the broker said to the app.
    pub description: String,
    /// The trace id.
    pub trace_id: Option<String>,
    /// The steps of the decision.
    pub steps: Vec<DemoStep>,
    /// The condition that refused.
    pub refused_by: Option<Obstacle>,
    /// How the provider failed.
    pub failure: Option<String>,
    /// The path that tries again.
    pub again_path: String,
    /// Lines for the file, TOML, for what the provider sends and the file does not map; empty if there are none.
    pub proposal: String,
}

/// A line of the file.
#[derive(Clone, Debug, Serialize)]
pub struct DemoLine {
    /// Its number.
    pub number: usize,
    /// Its text.
    pub text: String,
    /// Whether it is the one that is asked for.
    pub lit: bool,
}

/// The file.
#[derive(Clone, Debug, Serialize)]
pub struct DemoFile {
    /// The frame.
    pub nav: DemoNav,
    /// Its name.
    pub name: String,
    /// The other files: name and path of the page.
    pub others: Vec<DemoApp>,
    /// Its lines.
    pub lines: Vec<DemoLine>,
    /// Whether it is a file on disk, which can be edited while it runs.
    pub on_disk: bool,
    /// The path of the file itself.
    pub raw_path: Option<&'static str>,
}

/// A simulated provider's sign-in page. The form sends `persona` (an id) and the fields.
#[derive(Clone, Debug, Serialize)]
pub struct PersonaPicker {
    /// The provider's name.
    pub provider_name: String,
    /// Who one can be.
    pub personas: Vec<Persona>,
    /// The path that the choice is sent to.
    pub action: String,
    /// The authorization request's parameters, carried on.
    pub fields: Vec<Field>,
}

templates! {
    DemoFile => "demo_file.html",
    DemoHome => "demo_home.html",
    DemoRefused => "demo_refused.html",
    DemoTokens => "demo_tokens.html",
    PersonaPicker => "persona_picker.html",
}
