//! `countersign dev`: a broker to try out. `dev --once PERSON` signs a person in without a browser and prints why, and then the
//! claims of the tokens.

use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use crate::cli::printable::Printable;
use crate::cli::{ConfigArgs, Environment, Exit};
use crate::dev::personas::{Persona, personas};
use crate::dev::setting::BUILT_IN;
use crate::dev::why;
use crate::dev::{StartError, World, demo, start};

/// Arguments of `dev`.
#[derive(Debug, Args)]
pub struct DevArgs {
    /// The configuration to run, with simulated providers; as with --config. Default: one that is built in.
    pub file: Option<PathBuf>,
    /// The configuration to run, with simulated providers. It is reloaded when it changes.
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    pub config: Option<PathBuf>,
    /// A file whose keys replace those of the configuration; can be given several times.
    #[arg(long, value_name = "FILE")]
    pub overlay: Vec<PathBuf>,
    /// Print the built-in configuration, to start from, and exit.
    #[arg(long, conflicts_with_all = ["file", "config", "overlay", "once"])]
    pub print: bool,
    /// Sign this person in without a browser, print why and the claims of the tokens, and exit: alice, bob, xiaoming, layla or
    /// mallory; with a configuration of your own, a person of its [[tests]].
    #[arg(long, value_name = "PERSON")]
    pub once: Option<String>,
    /// The app that --once signs in to. Default: that of the person's test, or the first.
    #[arg(long, value_name = "APP", requires = "once")]
    pub client: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When the writer fails.
pub fn run(args: &DevArgs, environment: &Environment, out: &mut dyn Write) -> std::io::Result<Exit> {
    if args.print {
        out.write_all(BUILT_IN.as_bytes())?;
        return Ok(Exit::Fine);
    }
    let file = args.file.clone().or_else(|| args.config.clone());
    if file.is_none() && !args.overlay.is_empty() {
        writeln!(out, "error: --overlay needs a configuration: name it with --config FILE")?;
        return Ok(Exit::Usage);
    }
    crate::cli::serve::log(if args.once.is_some() { "error" } else { "info" });
    let inputs = file.map(|config| ConfigArgs { config, overlay: args.overlay.clone() }.inputs(environment));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let out = &mut Printable::new(out);
    let result = runtime.block_on(async {
        let world = start(inputs, args.once.is_none()).await?;
        match &args.once {
            None => serve(world, out).await,
            Some(id) => once(&world, id, args.client.as_deref(), out).await,
        }
    });
    runtime.shutdown_background();
    match result {
        Ok(exit) => Ok(exit),
        Err(StartError::Problems(problems)) => write!(out, "{problems}").map(|()| Exit::Problem),
        Err(StartError::Other(error)) => writeln!(out, "error: {error}").map(|()| Exit::CouldNotRun),
    }
}

async fn serve(world: World, out: &mut dyn Write) -> Result<Exit, StartError> {
    let snapshot = world.broker.snapshot().load_full();
    let providers: Vec<String> = snapshot.providers.keys().map(|id| world.setting.provider(id)).collect();
    let people: Vec<String> = personas(&snapshot.config).into_iter().map(|persona| persona.id).collect();
    let edit = match &world.demo.file {
        Some(file) => format!("Edit {} and save it: the broker reloads it.", file.display()),
        None => "Take its file: countersign dev --print > broker.toml; countersign dev --config broker.toml".to_owned(),
    };
    writeln!(
        out,
        "\n  Open the demo app and sign in:   {}\n\n  broker      {}\n  providers   {}   (simulated: no passwords)\n  \
         people      {}\n\n  {edit}\n  Stop with Ctrl-C.\n",
        world.setting.app,
        snapshot.config.issuer,
        providers.join(", "),
        people.join(", "),
    )?;
    out.flush()?;
    world.serve().await;
    Ok(Exit::Fine)
}

/// Signs a person in, and prints why they were let in or refused.
async fn once(world: &World, id: &str, client: Option<&str>, out: &mut dyn Write) -> Result<Exit, StartError> {
    let snapshot = world.broker.snapshot().load_full();
    let everyone = personas(&snapshot.config);
    let Some(person) = everyone.iter().find(|persona| persona.id == id) else {
        let known: Vec<&str> = everyone.iter().map(|persona| persona.id.as_str()).collect();
        writeln!(out, "error: there is nobody called {id}; the people are {}", known.join(", "))?;
        return Ok(Exit::Usage);
    };
    let apps: Vec<String> = demo::apps(&snapshot.config).into_iter().map(|(key, _)| key).collect();
    let asked = client.or(person.client.as_deref()).or(apps.first().map(String::as_str)).unwrap_or_default();
    if !apps.iter().any(|app| app == asked) {
        writeln!(out, "error: {asked:?} is not an app that signs people in; the file has {}", apps.join(", "))?;
        return Ok(Exit::Usage);
    }
    let url = demo::authorization_request(&world.demo, &snapshot, asked, Some(person))
        .ok_or_else(|| StartError::Other("the system's random generator is not available".to_owned()))?;
    let ended = walk(world, &url, person).await.map_err(StartError::Other)?;
    if let Ended::AtApp(query) = &ended
        && let Some(code) = query.get("code")
    {
        return tokens(world, id, asked, query.get("state"), code, out).await;
    }
    let Some(trace) = why::last_refusal(&world.broker, asked).await else {
        let text = match ended {
            Ended::AtApp(query) => format!("{query:?}"),
            Ended::OnPage(text) => text,
        };
        writeln!(out, "{id} did not come back to {asked}; the last page says:\n\n{text}")?;
        return Ok(Exit::Problem);
    };
    let why = why::refused(&world.broker, &trace, Some(&person.claims)).await.unwrap_or_default();
    writeln!(out, "refused: {}\n", why.refused.as_deref().unwrap_or_default())?;
    writeln!(out, "{id} may not use {asked}, through {}:\n{}", why.provider, why.print())?;
    Ok(Exit::Problem)
}

/// Redeems the code, and prints why the person was let in and what the app received.
async fn tokens(
    world: &World,
    id: &str,
    client: &str,
    state: Option<&String>,
    code: &str,
    out: &mut dyn Write,
) -> Result<Exit, StartError> {
    let pending = state.and_then(|state| world.demo.pending().remove(state)).unwrap_or_default();
    let redirect_uri = world.setting.callback();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect_uri.as_str()),
        ("code_verifier", &pending.verifier),
    ];
    let tokens = world.demo.tokens(client, &form).await.map_err(StartError::Other)?;
    let id_token = demo::claims(&tokens.id_token);
    let sid = id_token.get("sid").and_then(Value::as_str).unwrap_or_default();
    if let Some(why) = why::admitted(&world.broker, sid, client).await {
        writeln!(out, "{id} may use {client}, through {}:\n{}", why.provider, why.print())?;
    }
    for (title, value) in
        [("ID token", &id_token), ("Access token", &demo::claims(&tokens.access_token)), ("Userinfo", &tokens.userinfo)]
    {
        writeln!(out, "{title}\n{}\n", serde_json::to_string_pretty(value)?)?;
    }
    Ok(Exit::Fine)
}

/// Where a sign-in ended.
enum Ended {
    /// At the app, with these parameters.
    AtApp(HashMap<String, String>),
    /// On a page with this text.
    OnPage(String),
}

/// Follows the redirects from the broker to the provider, where the person is chosen, and back.
async fn walk(world: &World, from: &str, person: &Persona) -> Result<Ended, String> {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
    let client = client.map_err(|error| error.to_string())?;
    let mut url = url::Url::parse(from).map_err(|error| error.to_string())?;
    let mut cookies: HashMap<String, String> = HashMap::new();
    let (app, provider) = (world.setting.callback(), world.setting.provider(&person.provider));
    for _ in 0..10 {
        if url.as_str().starts_with(&app) {
            return Ok(Ended::AtApp(url.query_pairs().into_owned().collect()));
        }
        if url.as_str().starts_with(&format!("{provider}/authorize")) {
            url.query_pairs_mut().append_pair("persona", &person.id);
        }
        let jar = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        let request = client.get(url.clone()).header("cookie", jar);
        let response = request.send().await.map_err(|error| error.to_string())?;
        for cookie in response.headers().get_all("set-cookie") {
            let pair =
                cookie.to_str().ok().and_then(|text| text.split(';').next()).and_then(|pair| pair.split_once('='));
            if let Some((name, value)) = pair {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let location = response.headers().get("location").and_then(|value| value.to_str().ok().map(str::to_owned));
        match location {
            Some(next) => url = url.join(&next).map_err(|error| error.to_string())?,
            None => return response.text().await.map(|page| Ended::OnPage(text_of(&page))).map_err(|e| e.to_string()),
        }
    }
    Err("too many redirects".to_owned())
}

/// The text of a page, without markup.
fn text_of(page: &str) -> String {
    let body = page.split_once("<main").map_or(page, |(_, body)| body);
    let mut text = String::new();
    let mut inside = true;
    for c in body.chars() {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                text.push(' ');
            }
            c if !inside => text.push(c),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
