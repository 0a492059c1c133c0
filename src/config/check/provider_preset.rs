//! `[providers.X]`: the keys that only some presets have, and `quirks`.

use crate::config::check::context::Context;
use crate::config::check::preset_mistakes;
use crate::config::check::urls;
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::quote;
use crate::config::language::cel_source::cel_list;
use crate::config::language::provider::{EmailVerified, LinkBy, Preset, Provider};
use crate::config::language::quirks::OfflineAccess;
use crate::config::language::toml_text;

/// Keys that have an effect only with some presets.
const KEYS: &[(&str, &[Preset])] = &[
    ("tenants", &[Preset::Entra]),
    ("organizations", &[Preset::Github]),
    ("hosted_domains", &[Preset::Google]),
    ("base_url", &[Preset::Github, Preset::Gitlab]),
    ("resource", &[Preset::Adfs, Preset::Entra]),
    ("subject", &[Preset::Oauth2]),
    ("team_id", &[Preset::Apple]),
    ("key_id", &[Preset::Apple]),
];

/// What follows from the address of a GitHub server.
const GITHUB_KNOWS: &[&str] = &["issuer", "authorization_endpoint", "token_endpoint", "userinfo_endpoint"];

/// Keys that have no effect without an ID token.
const OPENID_KEYS: &[&str] = &[
    "backchannel_url",
    "claims_from",
    "dpop_bound_access_tokens",
    "id_token_signed_response_alg",
    "introspect",
    "jwks_uri",
    "logout",
    "post_logout_redirect_uri",
];

/// Parameters of an authorization request that the broker sets itself, and the setting that decides each.
const OWN_PARAMETERS: &[(&str, &str)] = &[
    ("response_type", ""),
    ("client_id", "client_id"),
    ("redirect_uri", "redirect_uri"),
    ("scope", "scopes"),
    ("state", ""),
    ("nonce", ""),
    ("code_challenge", "quirks.pkce"),
    ("code_challenge_method", "quirks.pkce"),
    ("response_mode", "response_mode"),
    ("prompt", "forward"),
    ("max_age", "forward"),
    ("login_hint", "forward"),
    ("ui_locales", "forward"),
    ("acr_values", "forward"),
    ("request", ""),
    ("request_uri", ""),
    ("client_secret", ""),
];

pub(crate) fn check(context: &mut Context<'_>, at: &At<'_>, provider: &Provider) {
    for (key, presets) in KEYS {
        let here = at.key(key);
        if context.is_set(&here) && !presets.contains(&provider.preset) && !context.broken.within(&at.key("preset")) {
            let names: Vec<String> =
                presets.iter().map(|preset| format!("preset = {}", quote(preset.name()))).collect();
            let way_out = replacement(key, provider).unwrap_or_else(|| "remove it".to_owned());
            context.error(&here, format!("`{key}` has no effect without {}", names.join(" or ")), &way_out);
        }
    }
    if provider.preset == Preset::Github {
        let set: Vec<&str> = GITHUB_KNOWS.iter().copied().filter(|key| context.is_set(&at.key(key))).collect();
        for key in set {
            let message = format!("`{key}` must not be set with preset = \"github\", which knows it from `base_url`");
            let way_out = "write base_url = \"https://github.corp.example\", or nothing for github.com";
            context.error(&at.key(key), message, way_out);
        }
    }
    if !provider.preset.is_openid() {
        let set: Vec<&str> = OPENID_KEYS.iter().copied().filter(|key| context.is_set(&at.key(key))).collect();
        for key in set {
            let name = provider.preset.name();
            let message =
                format!("`{key}` has no effect with preset = {}: it is OAuth 2.0 without ID tokens", quote(name));
            context.error(&at.key(key), message, "remove it");
        }
    }
    let lists = [
        ("tenants", &provider.tenants),
        ("hosted_domains", &provider.hosted_domains),
        ("organizations", &provider.organizations),
    ];
    for (key, names) in lists {
        let here = at.key(key);
        for (index, name) in names.iter().enumerate() {
            if name.trim().is_empty() {
                context.must(&here.index(index), "the name of one that may sign in", "empty");
            }
        }
        context.no_duplicates(&here, names, |name| name.to_lowercase());
    }
    quirks(context, &at.key("quirks"), provider);
    preset_mistakes::check(context, at, provider);
    match provider.preset {
        Preset::Entra => entra(context, at, provider),
        Preset::Google => google(context, at, provider),
        _ => {}
    }
}

/// What to write in place of a setting that has no effect without its preset.
fn replacement(key: &str, provider: &Provider) -> Option<String> {
    let (claim, values) = match key {
        "hosted_domains" => ("hd", &provider.hosted_domains),
        "tenants" => ("tid", &provider.tenants),
        "organizations" => return Some("say who may enter with `allow`, or remove it".to_owned()),
        _ => return None,
    };
    let condition = format!("claims.{claim} in {}", cel_list(values));
    let whole = match &provider.allow {
        Some(allow) => format!("({}) && {condition}", allow.as_str()),
        None => condition,
    };
    (!values.is_empty()).then(|| format!("write allow = {} instead", toml_text::string(&whole)))
}

/// What administrators of Microsoft Entra ID often get wrong.
fn entra(context: &mut Context<'_>, at: &At<'_>, provider: &Provider) {
    let tenants = at.key("tenants");
    for (index, tenant) in provider.tenants.iter().enumerate() {
        let is_id = tenant.len() == 36 && tenant.chars().all(|c| c == '-' || c.is_ascii_hexdigit());
        if !is_id && !tenant.trim().is_empty() {
            let way_out = Some("it is on the tenant's page Overview, as Tenant ID".to_owned());
            context.must_or(&tenants.index(index), "the id of a tenant (a UUID)", quote(tenant), way_out);
        }
    }
    let by_object = provider.quirks.subject_claims.is_none();
    if let Some(scopes) = provider.scopes.as_ref().filter(|_| by_object)
        && !scopes.iter().any(|scope| scope == "profile")
    {
        let message = "`scopes` must have \"profile\": without it tokens lack `oid`, by which accounts are known";
        context.error(&at.key("scopes"), message, "add \"profile\"");
    }
    if provider.email_verified == EmailVerified::Always && provider.tenants.len() != 1 {
        let message = "anybody who runs one of several tenants can give an account any address";
        let way_out =
            "leave `email_verified` out: an address that its tenant owns is verified (optional claim xms_edov)";
        context.warn(&at.key("email_verified"), message, way_out);
    }
    if provider.link_by == LinkBy::VerifiedEmail && provider.email_verified == EmailVerified::Never {
        let message = "`link_by` has no effect: no address of this provider is verified";
        context.error(&at.key("link_by"), message, "leave `email_verified` out, and have xms_edov in the ID token");
    }
}

/// What administrators of Google Workspace often get wrong.
fn google(context: &mut Context<'_>, at: &At<'_>, provider: &Provider) {
    let domains = at.key("hosted_domains");
    for (index, domain) in provider.hosted_domains.iter().enumerate() {
        match urls::domain(domain) {
            Err(expected) if !domain.trim().is_empty() => context.must(&domains.index(index), expected, quote(domain)),
            Ok(()) if matches!(domain.to_lowercase().as_str(), "gmail.com" | "googlemail.com") => {
                let message = format!("accounts of {domain} are of no organisation: their tokens have no `hd`");
                context.error(&domains.index(index), message, "write the domain of your organisation");
            }
            _ => {}
        }
    }
    let scopes = at.key("scopes");
    for (index, scope) in provider.scopes.iter().flatten().enumerate() {
        if scope == "groups" {
            let message = "Google has no scope \"groups\", and refuses sign-ins that ask for it";
            let way_out = "remove it; groups come with groups_from = { source = \"cloud_identity\", credentials = { file = \"...\" } }";
            context.error(&scopes.index(index), message, way_out);
        }
    }
}

fn quirks(context: &mut Context<'_>, at: &At<'_>, provider: &Provider) {
    let quirks = &provider.quirks;
    let lists = [
        ("unsupported_prompts", &quirks.unsupported_prompts),
        ("subject_claims", &quirks.subject_claims),
        ("booleans", &quirks.booleans),
        ("distinguished_names", &quirks.distinguished_names),
    ];
    for (key, list) in lists {
        let (here, list) = (at.key(key), list.as_deref().unwrap_or_default());
        for (index, name) in list.iter().enumerate() {
            if name.is_empty() {
                context.must(&here.index(index), "a name", "empty");
            }
        }
        context.no_duplicates(&here, list, Clone::clone);
    }
    let prompts = at.key("unsupported_prompts");
    for (index, prompt) in quirks.unsupported_prompts.iter().flatten().enumerate() {
        if matches!(prompt.as_str(), "login" | "none") {
            let message = format!("prompt={prompt} is always passed on: without it another thing would be asked for");
            let way_out = "remove it; reauth = \"unsupported\" is for providers that can't ask for a fresh sign-in";
            context.error(&prompts.index(index), message, way_out);
        }
    }
    let params = at.key("authorization_params");
    for name in quirks.authorization_params.iter().flatten().map(|(name, _)| name) {
        let Some((_, setting)) = OWN_PARAMETERS.iter().find(|(own, _)| own == name) else { continue };
        let way_out =
            if setting.is_empty() { "remove it".to_owned() } else { format!("`{setting}` decides it: remove it") };
        context.key_error(&params.key(name), format!("the broker sets the parameter `{name}` itself"), &way_out);
    }
    let offline = provider.scopes.iter().flatten().any(|scope| scope == "offline_access");
    if quirks.offline_access == Some(OfflineAccess::AccessType) && !offline {
        let message = "`offline_access` has no effect: `scopes` does not have \"offline_access\"";
        context.error(&at.key("offline_access"), message, "add \"offline_access\" to `scopes`, or remove it");
    }
}
