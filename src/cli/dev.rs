//! `countersign dev`: a broker to try out. `dev --once PERSON` signs a person in without a browser and prints the claims of
//! the tokens.

use std::collections::HashMap;
use std::io::Write;

use clap::Args;

use crate::cli::Exit;
use crate::dev::{World, demo, personas, start};

/// Arguments of `dev`.
#[derive(Debug, Args)]
pub struct DevArgs {
    /// Sign this user in without a browser, print the claims of the tokens and exit: alice, bob, xiaoming, layla, mallory.
    #[arg(long, value_name = "PERSON")]
    pub once: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When the writer fails.
pub fn run(args: &DevArgs, out: &mut dyn Write) -> std::io::Result<Exit> {
    crate::cli::serve::log(if args.once.is_some() { "error" } else { "info" });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = match &args.once {
        None => runtime.block_on(serve(out)),
        Some(id) if personas::persona(id).is_none() => {
            let known: Vec<&str> = personas::PERSONAS.iter().map(|persona| persona.id).collect();
            writeln!(out, "there is no user {id}; the users are {}", known.join(", "))?;
            Ok(Exit::Usage)
        }
        Some(id) => runtime.block_on(once(id, out)),
    };
    runtime.shutdown_background();
    result.or_else(|error| writeln!(out, "{error}").map(|()| Exit::CouldNotRun))
}

async fn serve(out: &mut dyn Write) -> Result<Exit, String> {
    let world = start(true).await?;
    let text = format!(
        "\n  Open the demo app and sign in:   {}\n\n  broker  {}\n  idp     {}   (simulated: pick a person, no password)\n\n  \
         Stop with Ctrl-C.\n\n",
        world.app, world.broker, world.idp
    );
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| error.to_string())?;
    world.serve().await;
    Ok(Exit::Fine)
}

/// Performs the steps of a browser in one sign-in.
async fn once(person: &str, out: &mut dyn Write) -> Result<Exit, String> {
    let world = start(false).await?;
    let (query, page) = walk(&world, person).await?;
    let Some(query) = query else {
        writeln!(out, "{person} was refused:\n\n{page}").map_err(|error| error.to_string())?;
        return Ok(Exit::Problem);
    };
    let text = |name: &str| query.get(name).cloned().unwrap_or_default();
    let verifier = world.demo.pending.lock().ok().and_then(|mut pending| pending.remove(&text("state")));
    let redirect_uri = format!("{}/callback", world.app);
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &text("code")),
        ("redirect_uri", redirect_uri.as_str()),
        ("code_verifier", &verifier.unwrap_or_default()),
    ];
    let tokens = world.demo.tokens(&form).await?;
    let show = |title: &str, value: &serde_json::Value| {
        format!("{title}\n{}\n\n", serde_json::to_string_pretty(value).unwrap_or_default())
    };
    let text = show("ID token", &demo::claims(&tokens.id_token))
        + &show("Access token", &demo::claims(&tokens.access_token))
        + &show("Userinfo", &tokens.userinfo);
    out.write_all(text.as_bytes()).map_err(|error| error.to_string())?;
    Ok(Exit::Fine)
}

/// Follows the redirects from the app to the broker, to the provider, where `person` is chosen, and back. Returns the
/// parameters of the authorization response, or the text of the page on which it ended.
async fn walk(world: &World, person: &str) -> Result<(Option<HashMap<String, String>>, String), String> {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
    let client = client.map_err(|error| error.to_string())?;
    let mut url = url::Url::parse(&format!("{}/start", world.app)).map_err(|error| error.to_string())?;
    let mut cookies: HashMap<String, String> = HashMap::new();
    for _ in 0..10 {
        if url.as_str().starts_with(&format!("{}/callback", world.app)) {
            return Ok((Some(url.query_pairs().into_owned().collect()), String::new()));
        }
        if url.as_str().starts_with(&format!("{}/authorize", world.idp)) {
            url.query_pairs_mut().append_pair("persona", person);
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
            None => {
                let page = response.text().await.map_err(|error| error.to_string())?;
                return Ok((None, text_of(&page)));
            }
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
