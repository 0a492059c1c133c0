//! Presets: what is known of a kind of provider. They are data, in `presets.toml`, and have no code path of their own.
//!
//! A preset is a table there, in the language of `[providers.X]`, and a variant of [`Preset`]. Nobody else asks which preset a
//! provider has: what it stands for is resolved here.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use crate::config::language::groups_from::{GroupSource, GroupsFrom};
use crate::config::language::issuer::ProviderIssuer;
use crate::config::language::provider::{
    ClaimTable, ClaimsSource, Preset, Profile, Provider, ProviderResponseMode, Reauth,
};
use crate::config::language::quirks::{OfflineAccess, Quirks as Declared};
use crate::config::language::scalar::{Expression, OneOrMany};
use crate::protocol::{ClientAuthMethod, default_attributes};

/// What is known of a kind of provider, for what the file does not set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Known {
    /// The issuer, if it is the same for everyone.
    issuer: Option<String>,
    /// Whether `base_url` is the issuer.
    issuer_is_base_url: bool,
    /// The address of the service that everyone uses.
    base_url: Option<String>,
    /// Endpoints as paths below `base_url`, by their keys in the file.
    pub endpoints: BTreeMap<String, String>,
    /// `scopes`
    scopes: Option<Vec<String>>,
    /// Scopes that are asked for if the provider's metadata lists them.
    optional_scopes: Vec<String>,
    /// `claims_from`
    claims_from: Option<Vec<ClaimsSource>>,
    /// `token_endpoint_auth_method`
    token_endpoint_auth_method: Option<ClientAuthMethod>,
    /// `response_mode`
    response_mode: Option<ProviderResponseMode>,
    /// `subject`
    subject: Option<Expression>,
    /// Where claims come from without an ID token.
    profile: Profile,
    /// `claims`
    claims: ClaimTable,
    /// `groups_from`
    groups_from: Option<GroupSource>,
    /// Whether an account may have a claim `roles`. Default: yes.
    sends_roles: Option<bool>,
    /// `quirks`
    quirks: Declared,
}

/// What is known of a kind of provider.
fn known(preset: Preset) -> &'static Known {
    // That the text can be read and has every preset is tested below.
    static ALL: LazyLock<BTreeMap<String, Known>> =
        LazyLock::new(|| toml::from_str(include_str!("presets.toml")).unwrap_or_default());
    static NOTHING: LazyLock<Known> = LazyLock::new(Known::default);
    ALL.get(preset.name()).unwrap_or(&NOTHING)
}

/// The first value that the preset of a provider, or the generic one, has.
fn default_of<T: Clone>(declared: &Provider, value: impl Fn(&'static Known) -> Option<T>) -> Option<T> {
    [known(declared.preset), known(Preset::Generic)].into_iter().find_map(value)
}

/// The issuer of a provider: the one that the file has, or the preset's; `None` if there is none.
#[must_use]
pub fn issuer(declared: &Provider) -> Option<ProviderIssuer> {
    let known = known(declared.preset);
    let fixed = || Some(ProviderIssuer::from(known.issuer.clone()?));
    let base = || base_url(declared).filter(|_| known.issuer_is_base_url);
    let issuer = declared.issuer.clone().or_else(|| Some(ProviderIssuer::from(base()?))).or_else(fixed);
    issuer.or_else(|| host(declared))
}

/// What stands for the issuer of a provider without one: where its token endpoint is.
fn host(declared: &Provider) -> Option<ProviderIssuer> {
    let token = declared.token_endpoint.as_ref().filter(|_| !declared.preset.is_openid())?;
    let origin = Url::parse(token).ok()?.origin();
    origin.is_tuple().then(|| ProviderIssuer::from(origin.ascii_serialization()))
}

/// `token_endpoint_auth_method`
#[must_use]
pub fn auth_method(declared: &Provider) -> Option<ClientAuthMethod> {
    let has_secret = declared.client_secret.is_some() || declared.team_id.is_some();
    let of_preset = || known(declared.preset).token_endpoint_auth_method.filter(|_| has_secret);
    declared.token_endpoint_auth_method.or_else(of_preset)
}

/// `response_mode`
#[must_use]
pub fn response_mode(declared: &Provider) -> Option<ProviderResponseMode> {
    declared.response_mode.or_else(|| known(declared.preset).response_mode)
}

/// The expression for the subject, where there is no ID token to name it.
#[must_use]
pub fn subject(declared: &Provider) -> Option<Expression> {
    let of_preset = || known(declared.preset).subject.clone();
    declared.subject.clone().or_else(of_preset).filter(|_| !declared.preset.is_openid())
}

/// Where claims come from without an ID token; `None` with one.
#[must_use]
pub fn profile(declared: &Provider) -> Option<Profile> {
    let profile = known(declared.preset).profile;
    // With an endpoint of its own, as `countersign dev` sets it, the claims are what is there.
    let profile = if declared.userinfo_endpoint.is_some() { Profile::Userinfo } else { profile };
    Some(profile).filter(|_| !declared.preset.is_openid())
}

/// How `prompt=login` and `max_age` are fulfilled. Without an ID token nothing proves when somebody authenticated.
#[must_use]
pub fn reauth(declared: &Provider) -> Reauth {
    match declared.reauth {
        Reauth::Verify if !declared.preset.is_openid() => Reauth::Unsupported,
        reauth => reauth,
    }
}

/// The address of the service, without a slash at its end: the one that the file has, or the preset's.
#[must_use]
pub fn base_url(declared: &Provider) -> Option<String> {
    let base = declared.base_url.clone().or_else(|| known(declared.preset).base_url.clone())?;
    Some(base.trim_end_matches('/').to_owned())
}

/// An endpoint of a provider by its key in the file: the one that the file has, or the preset's below `base_url`.
#[must_use]
pub fn endpoint(declared: &Provider, key: &str, written: Option<&String>) -> Option<String> {
    let of_preset = || Some(format!("{}{}", base_url(declared)?, known(declared.preset).endpoints.get(key)?));
    written.cloned().or_else(of_preset).or_else(|| github_user(declared).filter(|_| key == "userinfo_endpoint"))
}

/// Where GitHub answers about the person of an access token: on a host of its own, or below the server's address.
fn github_user(declared: &Provider) -> Option<String> {
    if profile(declared)? != Profile::Github {
        return None;
    }
    let base = base_url(declared)?;
    let url = Url::parse(&base).ok()?;
    let host = url.host_str()?;
    if host == "github.com" || host.ends_with(".ghe.com") {
        return Some(format!("https://api.{host}/user"));
    }
    Some(format!("{base}/api/v3/user"))
}

/// The scopes to ask for, and those to ask for if the provider's metadata lists them.
#[must_use]
pub fn scopes(declared: &Provider) -> (Vec<String>, Vec<String>) {
    match &declared.scopes {
        Some(scopes) => (scopes.clone(), Vec::new()),
        None => {
            let mut scopes = default_of(declared, |known| known.scopes.clone()).unwrap_or_default();
            scopes.extend(source_scopes(declared).first().map(|scope| (*scope).to_owned()));
            (scopes, known(declared.preset).optional_scopes.clone())
        }
    }
}

/// The scopes one of which the source of groups needs; the first is the narrowest.
#[must_use]
pub fn source_scopes(declared: &Provider) -> &'static [&'static str] {
    match declared.groups_from.as_ref().map(GroupsFrom::source).or_else(|| groups_from(declared)) {
        Some(GroupSource::Gitlab) => &["read_api", "api"],
        Some(GroupSource::Graph) => &[
            "User.Read",
            "https://graph.microsoft.com/User.Read",
            "User.Read.All",
            "GroupMember.Read.All",
            "https://graph.microsoft.com/GroupMember.Read.All",
            "Group.Read.All",
            "Directory.Read.All",
            "https://graph.microsoft.com/Directory.Read.All",
            "https://graph.microsoft.com/.default",
        ],
        _ => &[],
    }
}

/// The source of groups that the preset has.
#[must_use]
pub fn groups_from(declared: &Provider) -> Option<GroupSource> {
    known(declared.preset).groups_from
}

/// The documents that claims come from.
#[must_use]
pub fn claims_from(declared: &Provider) -> Vec<ClaimsSource> {
    let written = declared.claims_from.clone();
    written.or_else(|| default_of(declared, |known| known.claims_from.clone())).unwrap_or_default()
}

/// The mappings of attributes that the file does not map: those of the preset, and the standard claims.
#[must_use]
pub fn claims(declared: &Provider) -> ClaimTable {
    let standard = |name: &str| OneOrMany::One(Expression(format!("claims.{name}")));
    let mut table: ClaimTable = default_attributes().map(|name| (name.to_owned(), standard(name))).collect();
    for known in [known(Preset::Generic), known(declared.preset)] {
        table.extend(known.claims.clone());
    }
    table.retain(|name, _| !declared.claims.contains_key(name));
    table
}

/// Whether a provider can say which roles somebody has: the file maps them, or its tokens may have a claim `roles`.
#[must_use]
pub fn asserts_roles(declared: &Provider) -> bool {
    declared.claims.contains_key("roles") || known(declared.preset).sends_roles != Some(false)
}

/// In what a provider differs from others, resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quirks {
    /// Values of `prompt` that are left out.
    pub unsupported_prompts: Vec<String>,
    /// Claims that identify an account together; none: `sub`.
    pub subject_claims: Vec<String>,
    /// Claims that are booleans, whatever they are sent as.
    pub booleans: Vec<String>,
    /// Claims with distinguished names, of which the first value counts.
    pub distinguished_names: Vec<String>,
    /// Further parameters of the authorization request.
    pub authorization_params: BTreeMap<String, String>,
    /// Whether an ID token without `nonce` is accepted.
    pub without_nonce: bool,
    /// Whether PKCE is used; `None`: as the metadata says.
    pub pkce: Option<bool>,
    /// How a refresh token is asked for.
    pub offline_access: OfflineAccess,
    /// Whether the name comes once, in the parameter `user` of the answer.
    pub name_once: bool,
    /// Whether each tenant is an issuer of its own.
    pub tenant_issuer: bool,
    /// Whether the issuer may end with a slash or not.
    pub optional_slash: bool,
}

impl Quirks {
    /// The quirks of a provider: those that the file sets, then those of its preset.
    #[must_use]
    pub fn of(declared: &Provider) -> Self {
        let Declared {
            unsupported_prompts,
            subject_claims,
            booleans,
            distinguished_names,
            authorization_params,
            nonce,
            pkce,
            offline_access,
            name_once,
            tenant_issuer,
            optional_slash,
        } = written_or_preset(declared);
        Self {
            unsupported_prompts: unsupported_prompts.unwrap_or_default(),
            subject_claims: subject_claims.unwrap_or_default(),
            booleans: booleans.unwrap_or_default(),
            distinguished_names: distinguished_names.unwrap_or_default(),
            authorization_params: with_hosted_domain(declared, authorization_params.unwrap_or_default()),
            without_nonce: nonce == Some(false),
            pkce,
            offline_access: offline_access.unwrap_or_default(),
            name_once: name_once.unwrap_or_default(),
            tenant_issuer: tenant_issuer.unwrap_or_default(),
            optional_slash: optional_slash.unwrap_or_default(),
        }
    }
}

/// The domain that Google shows accounts of, or that of any organisation where there are several. It is a hint:
/// `hosted_domains` is a condition, too.
fn with_hosted_domain(declared: &Provider, mut params: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let hint = match declared.hosted_domains.as_slice() {
        [] => return params,
        [one] => one.to_lowercase(),
        _ => "*".to_owned(),
    };
    params.entry("hd".to_owned()).or_insert(hint);
    params
}

/// The longest subject, in bytes (OIDC Core §2).
const LONGEST_SUBJECT: usize = 255;

impl Quirks {
    /// The subject of an account by these claims of a verified token: `sub`, or the claims that stand for it, joined with dots.
    /// A dot in any but the last is encoded: two people whose claims differ must not have one account.
    ///
    /// # Errors
    /// The name of the claim that is missing, empty, not a text, or too long.
    pub fn subject<'q>(&'q self, claims: &Map<String, Value>) -> Result<String, &'q str> {
        let text = |name: &str| claims.get(name)?.as_str().filter(|text| !text.is_empty());
        let names = self.subject_claims.iter().map(String::as_str);
        let names: Vec<&str> = if self.subject_claims.is_empty() { vec!["sub"] } else { names.collect() };
        let parts: Vec<&str> = names.iter().map(|name| text(name).ok_or(*name)).collect::<Result<_, _>>()?;
        let subject = match parts.split_last() {
            Some((last, before)) => {
                let encoded = |part: &&str| part.replace('%', "%25").replace('.', "%2E") + ".";
                before.iter().map(encoded).chain([(*last).to_owned()]).collect::<String>()
            }
            None => String::new(),
        };
        if subject.len() > LONGEST_SUBJECT { Err(names.first().copied().unwrap_or("sub")) } else { Ok(subject) }
    }
}

/// The quirks of a provider in the language of the file: those that it sets, then those of its preset.
#[must_use]
pub fn written_or_preset(declared: &Provider) -> Declared {
    declared.quirks.or(&known(declared.preset).quirks)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_preset_has_a_table_that_can_be_read() {
        let read: BTreeMap<String, Known> = toml::from_str(include_str!("presets.toml")).unwrap();
        for name in read.keys() {
            let preset: Preset = serde_json::from_value(name.as_str().into()).unwrap();
            assert_eq!(preset.name(), name);
        }
        let schema = serde_json::to_value(schemars::schema_for!(Preset)).unwrap();
        let presets = schema["oneOf"].as_array().unwrap().iter().map(|preset| preset["const"].as_str().unwrap());
        assert_eq!(presets.collect::<BTreeSet<_>>(), read.keys().map(String::as_str).collect());
    }

    #[test]
    fn what_the_file_sets_replaces_the_preset() {
        let provider = |text: &str| toml::from_str::<Provider>(&format!("client_id = \"c\"\n{text}")).unwrap();
        let adfs = provider("preset = \"adfs\"\nissuer = \"https://adfs.corp.example/adfs\"");
        assert_eq!(scopes(&adfs).1, ["allatclaims"]);
        assert_eq!(claims_from(&adfs), [ClaimsSource::IdToken]);
        assert_eq!(Quirks::of(&adfs).unsupported_prompts, ["select_account", "consent"]);
        let own = provider(
            "preset = \"adfs\"\nscopes = [\"openid\"]\nclaims_from = [\"userinfo\"]\n[claims]\nusername = \"claims.x\"\n\
             [quirks]\nunsupported_prompts = []\npkce = false",
        );
        assert_eq!(scopes(&own), (vec!["openid".to_owned()], Vec::new()));
        assert_eq!(claims_from(&own), [ClaimsSource::Userinfo]);
        assert!(!claims(&own).contains_key("username") && claims(&own).contains_key("groups"));
        let quirks = Quirks::of(&own);
        assert_eq!((quirks.unsupported_prompts.len(), quirks.pkce), (0, Some(false)));
    }
}
