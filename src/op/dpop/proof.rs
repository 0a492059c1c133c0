//! A DPoP proof: everything that can be checked from the proof alone (RFC 9449 §4.2, §4.3).

use url::Url;

use crate::digest::sha256_base64url;
use crate::jose::{Check, Claims, Jws, Problem, PublicKey};
use crate::protocol::Algorithm;

/// The algorithms of proofs, as discovery and challenges name them (`dpop_signing_alg_values_supported`).
pub const ALGORITHMS: [Algorithm; 6] =
    [Algorithm::ES256, Algorithm::ES384, Algorithm::PS256, Algorithm::RS256, Algorithm::EdDSA, Algorithm::Ed25519];

/// Bytes of the longest proof. One by an RSA key of 8192 bits has about 3,200.
const MAX_LENGTH: usize = 8192;
/// Seconds for which a proof is valid. They cover the transport, and a client's clock that is slow.
pub(super) const BACK: i64 = 60;
/// Seconds by which a client's clock may be fast. FAPI 2.0 Security Profile §5.3.2.1 asks for 10 to 60.
const AHEAD: i64 = 15;
/// Members of a JWK that are private or symmetric (RFC 7518 §6.2.2, §6.3.2, §6.4.1, RFC 8037 §2).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The request that a proof must be made for.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Its method.
    pub method: &'a str,
    /// The endpoint's URL as configured; never made from the request.
    pub url: &'a str,
    /// The access token that is sent with it.
    pub access_token: Option<&'a str>,
}

/// A valid proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Thumbprint of its key (RFC 7638), as in `cnf` and `dpop_jkt`.
    pub jkt: String,
    /// Its unique id.
    pub(super) jti: String,
    /// The nonce in it.
    pub(super) nonce: Option<String>,
    /// When it expires, in seconds since the Unix epoch.
    pub(super) ends_at: i64,
}

/// Checks everything that follows from the proof itself (§4.3 checks 2 to 9, 11 and 12).
///
/// # Errors
/// The first check that it fails.
pub(super) fn verify(text: &str, call: &Call<'_>, now: i64) -> Result<Proof, Check> {
    if text.len() > MAX_LENGTH {
        return Err(Check::Form("it is longer than 8192 bytes"));
    }
    let jws = Jws::parse(text)?;
    if jws.typ.as_deref() != Some("dpop+jwt") {
        return Err(Check::Form("its typ is not dpop+jwt"));
    }
    if !ALGORITHMS.contains(&jws.algorithm) {
        return Err(Check::Algorithm);
    }
    let jwk = jws.jwk.as_ref().ok_or(Check::Form("its header has no jwk"))?;
    if PRIVATE.iter().any(|member| jwk.get(member).is_some()) {
        return Err(Check::Form("the jwk in its header is private; send the public key only"));
    }
    let key =
        PublicKey::parse(jwk).ok_or(Check::Form("the jwk in its header is not a public key that is supported"))?;
    jws.verify_by(&key)?;
    let claims = Claims(&jws.claims);
    claims.equals("htm", call.method)?;
    let htu = claims.text("htu")?.ok_or(Check::Claim("htu", Problem::Missing))?;
    if normal(htu).is_none_or(|htu| Some(htu) != normal(call.url)) {
        return Err(Check::Claim("htu", Problem::Differs));
    }
    let iat = claims.time("iat")?.ok_or(Check::Claim("iat", Problem::Missing))?;
    if iat < now.saturating_sub(BACK) || iat > now.saturating_add(AHEAD) {
        return Err(Check::Claim("iat", Problem::Time));
    }
    if let Some(token) = call.access_token {
        claims.equals("ath", &sha256_base64url(token.as_bytes()))?;
    }
    let jti = claims.text("jti")?.filter(|jti| !jti.is_empty()).ok_or(Check::Claim("jti", Problem::Missing))?;
    let nonce = claims.text("nonce")?.map(str::to_owned);
    let jkt = key.thumbprint().ok_or(Check::Key)?;
    Ok(Proof { jkt, jti: jti.to_owned(), nonce, ends_at: iat.saturating_add(BACK + 1) })
}

/// A URL without query and fragment, in its normal form (§4.3 check 9, RFC 3986 §6.2.2 and §6.2.3): scheme and host in
/// lower case, no default port, no dot segments, unreserved characters not escaped.
fn normal(text: &str) -> Option<String> {
    // What the URL parser would mend, such as spaces and backslashes, is no URI at all (RFC 3986 §2).
    if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return None;
    }
    let mut url = Url::parse(text).ok()?;
    url.set_query(None);
    url.set_fragment(None);
    let mut parts = url.as_str().split('%');
    let mut normal = parts.next()?.to_owned();
    for part in parts {
        match escaped(part) {
            Some((byte, rest)) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                normal.push(char::from(byte));
                normal.push_str(rest);
            }
            Some((byte, rest)) => normal.push_str(&format!("%{byte:02X}{rest}")),
            None => return None,
        }
    }
    Some(normal)
}

/// The byte that two hexadecimal digits after a `%` encode, and what follows them.
fn escaped(text: &str) -> Option<(u8, &str)> {
    let (digits, rest) = text.split_at_checked(2)?;
    let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    Some((u8::from_str_radix(digits, 16).ok().filter(|_| hex)?, rest))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;

    use super::*;

    /// The proof of RFC 9449 §4.1, for its token request.
    const EXAMPLE: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
    const MADE: i64 = 1_562_262_616;
    const CALL: Call<'_> = Call { method: "POST", url: "https://server.example.com/token", access_token: None };

    #[test]
    fn the_example_of_the_specification_is_valid_in_its_time() {
        let proof = verify(EXAMPLE, &CALL, MADE).unwrap();
        assert_eq!(proof.jkt, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
        for (now, good) in
            [(MADE - AHEAD - 1, false), (MADE - AHEAD, true), (MADE + BACK, true), (MADE + BACK + 1, false)]
        {
            let expected = if good { Ok(proof.clone()) } else { Err(Check::Claim("iat", Problem::Time)) };
            assert_eq!(verify(EXAMPLE, &CALL, now), expected, "{now}");
        }
        assert!(proof.ends_at > MADE + BACK, "remembered for as long as it is valid");
    }

    #[test]
    fn a_proof_is_for_one_call() {
        let differs = |name| Err(Check::Claim(name, Problem::Differs));
        assert_eq!(verify(EXAMPLE, &Call { method: "GET", ..CALL }, MADE), differs("htm"));
        assert_eq!(verify(EXAMPLE, &Call { url: "https://server.example.com/other", ..CALL }, MADE), differs("htu"));
        let missing = Err(Check::Claim("ath", Problem::Missing));
        assert_eq!(verify(EXAMPLE, &Call { access_token: Some("t"), ..CALL }, MADE), missing);
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        for at in (0..EXAMPLE.len()).step_by(7) {
            let mut changed = EXAMPLE.as_bytes().to_vec();
            let byte = changed.get_mut(at).unwrap();
            *byte = if *byte == b'A' { b'B' } else { b'A' };
            assert!(verify(std::str::from_utf8(&changed).unwrap(), &CALL, MADE).is_err(), "{at}");
        }
    }

    #[test]
    fn urls_are_compared_in_their_normal_form() {
        let url = "https://sso.example.com/a~b/token";
        for same in [
            "https://sso.example.com/a~b/token",
            "HTTPS://SSO.Example.COM:443/a~b/token",
            "https://sso.example.com/a%7Eb/token",
            "https://sso.example.com/a%7eb/x/../token",
            "https://sso.example.com/a~b/./%74oken?query=1#fragment",
        ] {
            assert_eq!(normal(same), normal(url), "{same}");
        }
        for other in [
            "http://sso.example.com/a~b/token",
            "https://sso.example.com:8443/a~b/token",
            "https://sso.example.com/a~b/token/",
            "https://sso.example.com/A~b/token",
            "https://sso.example.com/a~b%2Ftoken",
            "https://user@sso.example.com/a~b/token",
            "https://sso.example.com./a~b/token",
            "https://sso.example.com.evil.example/a~b/token",
            "//sso.example.com/a~b/token",
            "/a~b/token",
            "https:\\\\sso.example.com\\a~b\\token",
            " https://sso.example.com/a~b/token",
            "https://sso.example.com/a~b/tok\ten",
            "https://sso.example.com/a~b/token%",
            "https://sso.example.com/a%+7Eb/token",
            "",
        ] {
            assert_ne!(normal(other), normal(url), "{other}");
        }
        assert_eq!(normal("https://a.example/%2f%c3"), Some("https://a.example/%2F%C3".to_owned()));
    }

    /// A compact JWS of any header and payload.
    fn shaped() -> impl Strategy<Value = String> {
        let json = prop::sample::select(vec![
            r#"{"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"EC","crv":"P-256","x":"","y":""}}"#,
            r#"{"typ":"dpop+jwt","alg":"ES256","jwk":[]}"#,
            r#"{"typ":"dpop+jwt","alg":"EdDSA","jwk":{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}"#,
            r#"{"typ":"dpop+jwt","alg":"RS256","jwk":{"kty":"RSA","n":"AA","e":"AQAB"}}"#,
            r#"{"typ":1,"alg":{}}"#,
            r#"{"htm":"POST","htu":"%","iat":1e308,"jti":null}"#,
        ]);
        let part = prop_oneof![
            json.prop_map(|text| text.as_bytes().to_vec()),
            prop::collection::vec(any::<u8>(), 0..64),
            "\\PC{0,64}".prop_map(String::into_bytes),
        ];
        let encoded = part.prop_map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        prop::collection::vec(encoded, 1..5).prop_map(|parts| parts.join("."))
    }

    proptest! {
        #[test]
        fn no_bytes_panic_or_pass(text in prop_oneof![any::<String>(), shaped()], now in any::<i64>()) {
            prop_assert!(verify(&text, &CALL, now).is_err());
        }

        #[test]
        fn no_url_panics(text in prop_oneof![any::<String>(), "https?://[a-z%0-9./@:?#\\[\\]]{0,40}"]) {
            if let Some(once) = normal(&text) {
                prop_assert!(once.is_ascii());
            }
        }
    }
}
