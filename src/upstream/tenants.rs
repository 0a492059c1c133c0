//! Providers at which each tenant is an issuer of its own: Microsoft's identity platform.
//!
//! The discovery document for many tenants has `{tenantid}` in its issuer, one keyset serves them all, and a token says in
//! `tid` which tenant it is of. Tokens of version 1 name another host than those of version 2. Which tenants may sign in is a
//! condition of the policy (`tenants`); here a token is held to be of the tenant that it names.

use url::Url;

/// What a discovery document has in place of a tenant.
pub(crate) const TEMPLATE: &str = "{tenantid}";

/// Where tokens of version 1 say that they come from: of the worldwide cloud, and of the one in China.
const VERSION_1: [&str; 2] = ["https://sts.windows.net", "https://sts.chinacloudapi.cn"];

/// The tenants of a provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tenants {
    /// The origin of the issuer in the file.
    origin: String,
    /// Those that may sign in, in lower case, and the one that the issuer in the file names.
    known: Vec<String>,
    /// Whether the file says which tenants may sign in.
    listed: bool,
}

impl Tenants {
    pub(crate) fn new(issuer: &Url, listed: &[String]) -> Self {
        let own = issuer.path_segments().into_iter().flatten().filter(|segment| is_id(segment));
        let known = listed.iter().map(String::as_str).chain(own).map(str::to_lowercase).collect();
        Self { origin: issuer.origin().ascii_serialization(), known, listed: !listed.is_empty() }
    }

    /// Whether the file says which tenants may sign in.
    pub(crate) const fn are_listed(&self) -> bool {
        self.listed
    }

    /// How a tenant names itself as issuer.
    fn names(&self, tenant: &str) -> [String; 3] {
        let [world, china] = VERSION_1;
        [format!("{}/{tenant}/v2.0", self.origin), format!("{world}/{tenant}/"), format!("{china}/{tenant}/")]
    }

    /// Whether a document may name this issuer: a known tenant, or any.
    pub(crate) fn may_be_named(&self, issuer: &str) -> bool {
        let known = self.known.iter().map(String::as_str).chain([TEMPLATE]);
        known.into_iter().any(|tenant| self.names(tenant).iter().any(|name| name == issuer))
    }

    /// Whether a token is of the tenant that it names, and the document speaks for that tenant.
    pub(crate) fn issued(&self, named: &str, iss: &str, tid: Option<&str>) -> bool {
        let Some(tid) = tid.filter(|tid| is_id(tid)) else { return false };
        let speaks_for = if named.contains(TEMPLATE) { self.listed } else { self.known.contains(&tid.to_lowercase()) };
        speaks_for && self.names(tid).iter().any(|name| name == iss)
    }

    /// Whether a key of this issuer may sign tokens of `iss`: some keys are for certain tenants only.
    pub(crate) fn signs(&self, key: &str, iss: Option<&str>, tid: Option<&str>) -> bool {
        let Some(tid) = tid.filter(|tid| is_id(tid)) else { return Some(key) == iss };
        let key = key.replace(TEMPLATE, tid);
        self.names(tid).contains(&key)
    }
}

/// Whether a text is a tenant id: a UUID. Anything else could be more than one segment of a path.
fn is_id(text: &str) -> bool {
    text.len() == 36
        && text
            .char_indices()
            .all(|(at, c)| if matches!(at, 8 | 13 | 18 | 23) { c == '-' } else { c.is_ascii_hexdigit() })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const A: &str = "9f3c0000-0000-0000-0000-00000000000a";
    const B: &str = "9f3c0000-0000-0000-0000-00000000000b";

    fn tenants(issuer: &str, listed: &[&str]) -> Tenants {
        let listed: Vec<String> = listed.iter().map(|tenant| (*tenant).to_owned()).collect();
        Tenants::new(&Url::parse(issuer).unwrap(), &listed)
    }

    #[test]
    fn a_token_is_of_the_tenant_that_it_names() {
        let many = tenants("https://login.microsoftonline.com/organizations/v2.0", &[A]);
        let template = "https://login.microsoftonline.com/{tenantid}/v2.0";
        let v2 = |tenant: &str| format!("https://login.microsoftonline.com/{tenant}/v2.0");
        let v1 = |tenant: &str| format!("https://sts.windows.net/{tenant}/");
        for (iss, tid, of_it) in [
            (v2(A), Some(A), true),
            (v1(A), Some(A), true),
            (v2(B), Some(B), true),
            (v2(A), Some(B), false),
            (v2(A), None, false),
            (v2("{tenantid}"), Some("{tenantid}"), false),
            (v2("x/../y"), Some("x/../y"), false),
            ("https://evil.example/v2.0".to_owned(), Some(A), false),
            (format!("https://sts.windows.net/{A}"), Some(A), false),
        ] {
            assert_eq!(many.issued(template, &iss, tid), of_it, "{iss} {tid:?}");
        }
        assert!(!tenants("https://login.microsoftonline.com/common/v2.0", &[]).issued(template, &v2(A), Some(A)));
        let one = tenants(&v2(A), &[]);
        assert!(one.issued(&v2(A), &v1(A), Some(A)) && !one.issued(&v2(A), &v1(B), Some(B)));
    }

    #[test]
    fn a_document_names_any_tenant_or_a_known_one() {
        let many = tenants("https://login.microsoftonline.com/corp.onmicrosoft.com/v2.0", &[A]);
        for (name, known) in [
            ("https://login.microsoftonline.com/{tenantid}/v2.0".to_owned(), true),
            ("https://sts.windows.net/{tenantid}/".to_owned(), true),
            (format!("https://login.microsoftonline.com/{A}/v2.0"), true),
            (format!("https://login.microsoftonline.com/{B}/v2.0"), false),
            ("https://evil.example/{tenantid}/v2.0".to_owned(), false),
        ] {
            assert_eq!(many.may_be_named(&name), known, "{name}");
        }
    }

    #[test]
    fn a_key_of_one_tenant_signs_for_no_other() {
        let many = tenants("https://login.microsoftonline.com/common/v2.0", &[A, B]);
        let of = |tenant: &str| format!("https://login.microsoftonline.com/{tenant}/v2.0");
        assert!(many.signs(&of("{tenantid}"), Some(&of(A)), Some(A)));
        assert!(many.signs(&of(A), Some(&of(A)), Some(A)));
        assert!(!many.signs(&of(B), Some(&of(A)), Some(A)));
        assert!(!many.signs(&of("{tenantid}"), Some(&of(A)), None));
    }
}
