//! The broker as an independent client library sees it: openidconnect, with an HTTP client that calls the router. The
//! library reads discovery and the key set, builds every request and verifies every response with its own code.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;

use axum::body::Body;
use http::Uri;
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreIdToken, CoreIdTokenClaims, CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::{
    AccessTokenHash, AsyncHttpClient, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken,
    EndSessionUrl, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IssuerUrl, LogoutRequest,
    Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, PostLogoutRedirectUrl,
    ProviderMetadataWithLogout, RedirectUrl, Scope, TokenResponse as _,
};

use crate::harness::app::secret_of;
use crate::harness::{Browser, ISSUER, START, TestApp, alice};

/// openidconnect's HTTP client: each request goes to the router.
struct ToRouter<'a>(&'a TestApp);

impl<'a> AsyncHttpClient<'a> for ToRouter<'_> {
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Infallible>> + 'a>>;

    fn call(&'a self, request: HttpRequest) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let url = parts.uri.to_string();
        let path = url.strip_prefix(self.0.origin()).unwrap_or_else(|| panic!("{url} is not the broker's"));
        parts.uri = path.parse::<Uri>().unwrap();
        Box::pin(async move {
            let reply = self.0.send(http::Request::from_parts(parts, Body::from(body))).await;
            let mut response = HttpResponse::new(reply.body);
            (*response.status_mut(), *response.headers_mut()) = (reply.status, reply.headers);
            Ok(response)
        })
    }
}

type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// An app that uses the library.
struct RustApp<'a> {
    app: &'a TestApp,
    http: ToRouter<'a>,
    client: Client,
    end_session: EndSessionUrl,
}

/// What the app remembers while the user is at the broker.
struct Pending {
    state: CsrfToken,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

impl<'a> RustApp<'a> {
    /// The client `id` of the configuration, set up from discovery alone.
    async fn discovered(app: &'a TestApp, id: &str, secret: Option<String>) -> Self {
        let http = ToRouter(app);
        let issuer = IssuerUrl::new(ISSUER.to_owned()).unwrap();
        let metadata = ProviderMetadataWithLogout::discover_async(issuer, &http).await.unwrap();
        let end_session = metadata.additional_metadata().end_session_endpoint.clone().expect("discovery has it");
        let redirect_uri = RedirectUrl::new(format!("https://{id}.example/cb")).unwrap();
        let client =
            CoreClient::from_provider_metadata(metadata, ClientId::new(id.to_owned()), secret.map(ClientSecret::new));
        Self { app, http, client: client.set_redirect_uri(redirect_uri), end_session }
    }

    /// Sends the browser to the broker and through the provider. Returns the parameters of the response.
    async fn sign_in_as_alice(&self, browser: &mut Browser) -> (Pending, HashMap<String, String>) {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let request = self.client.authorize_url(flow, CsrfToken::new_random, Nonce::new_random);
        let scopes = ["profile", "email"].map(|scope| Scope::new(scope.to_owned()));
        let (url, state, nonce) = request.add_scopes(scopes).set_pkce_challenge(challenge).url();
        let leaving = browser.open(self.app, url.as_str()).await.location();
        let callback = self.app.idp().authorize(&leaving, &alice());
        let answer = browser.open(self.app, &callback).await.params().into_iter().collect();
        (Pending { state, nonce, verifier }, answer)
    }

    async fn redeem(&self, pending: Pending, answer: &HashMap<String, String>) -> (CoreTokenResponse, Nonce) {
        assert_eq!(&answer["state"], pending.state.secret());
        let request = self.client.exchange_code(AuthorizationCode::new(answer["code"].clone())).unwrap();
        let tokens = request.set_pkce_verifier(pending.verifier).request_async(&self.http).await.unwrap();
        (tokens, pending.nonce)
    }

    /// The claims of an ID token, verified at the test's time. A refreshed one need not have a nonce (OIDC Core §12.2).
    fn verified(
        &self,
        token: &CoreIdToken,
        nonce: Option<&Nonce>,
    ) -> Result<CoreIdTokenClaims, ClaimsVerificationError> {
        let now = chrono::DateTime::from_timestamp(self.app.now(), 0).unwrap();
        let verifier = self.client.id_token_verifier().set_time_fn(move || now);
        match nonce {
            Some(nonce) => token.claims(&verifier, nonce),
            None => token.claims(&verifier, |_: Option<&Nonce>| Ok(())),
        }
        .cloned()
    }

    /// Asserts that the ID token's `at_hash` is that of the access token issued with it.
    fn assert_hash(&self, tokens: &CoreTokenResponse, claims: &CoreIdTokenClaims) {
        let token = tokens.id_token().unwrap();
        let verifier = self.client.id_token_verifier();
        let (alg, key) = (token.signing_alg().unwrap(), token.signing_key(&verifier).unwrap());
        let hash = AccessTokenHash::from_token(tokens.access_token(), alg, key).unwrap();
        assert_eq!(claims.access_token_hash(), Some(&hash));
    }
}

/// A sign-in, userinfo, a refresh and a sign-out.
async fn whole_life(app: &TestApp, id: &str, secret: Option<String>) {
    let rust = RustApp::discovered(app, id, secret).await;
    let mut browser = Browser::new();
    let (pending, answer) = rust.sign_in_as_alice(&mut browser).await;
    let (tokens, nonce) = rust.redeem(pending, &answer).await;
    let id_token = tokens.id_token().unwrap();
    let claims = rust.verified(id_token, Some(&nonce)).unwrap();
    rust.assert_hash(&tokens, &claims);
    assert_eq!(claims.email().unwrap().as_str(), "alice@corp.example");
    assert_eq!(claims.email_verified(), Some(true));
    assert_eq!(claims.auth_time().unwrap().timestamp(), START);

    let request = rust.client.user_info(tokens.access_token().clone(), Some(claims.subject().clone())).unwrap();
    let userinfo: CoreUserInfoClaims = request.request_async(&rust.http).await.unwrap();
    assert_eq!(userinfo.preferred_username().unwrap().as_str(), "alice");
    assert_eq!(userinfo.name().unwrap().get(None).unwrap().as_str(), "Alice Example");

    app.wait(60);
    let refresh_token = tokens.refresh_token().unwrap();
    let request = rust.client.exchange_refresh_token(refresh_token).unwrap();
    let refreshed = request.request_async(&rust.http).await.unwrap();
    assert_ne!(refreshed.refresh_token().unwrap().secret(), refresh_token.secret());
    let again = rust.verified(refreshed.id_token().unwrap(), None).unwrap();
    rust.assert_hash(&refreshed, &again);
    assert_eq!((again.subject(), again.auth_time()), (claims.subject(), claims.auth_time()), "OIDC Core §12.2");
    assert_eq!(again.issue_time().timestamp(), START + 60);

    let bye = PostLogoutRedirectUrl::new(format!("https://{id}.example/bye")).unwrap();
    let request = LogoutRequest::from(rust.end_session.clone()).set_id_token_hint(refreshed.id_token().unwrap());
    let request = request.set_post_logout_redirect_uri(bye.clone()).set_state(CsrfToken::new("out".to_owned()));
    let done = browser.open(app, request.http_get_url().as_str()).await;
    assert_eq!(done.location(), format!("{}?state=out", bye.as_str()));
    let request = rust.client.exchange_refresh_token(refreshed.refresh_token().unwrap()).unwrap();
    let refused = request.request_async(&rust.http).await.unwrap_err();
    let openidconnect::RequestTokenError::ServerResponse(error) = refused else { panic!("{refused:?}") };
    assert_eq!(error.error().as_ref(), "invalid_grant");
}

/// Sign-outs end at the broker; those that are forwarded to the provider are tested in `logout`.
const SHORT_LOGOUT: &str = "providers.staff.logout = false\n\
    clients.spa.post_logout_redirect_uris = [\"https://spa.example/bye\"]\n";

#[tokio::test]
async fn a_confidential_client_from_discovery_to_sign_out() {
    let app = TestApp::with(SHORT_LOGOUT).await;
    whole_life(&app, "app", Some(secret_of("app"))).await;
}

#[tokio::test]
async fn a_public_client_from_discovery_to_sign_out() {
    let app = TestApp::with(SHORT_LOGOUT).await;
    whole_life(&app, "spa", None).await;
}

#[tokio::test]
async fn id_tokens_are_verified_by_the_published_key_whatever_the_algorithm() {
    for alg in ["RS256", "ES256"] {
        let app = TestApp::with(&format!("clients.app.id_token_signed_response_alg = \"{alg}\"")).await;
        let rust = RustApp::discovered(&app, "app", Some(secret_of("app"))).await;
        let (pending, answer) = rust.sign_in_as_alice(&mut Browser::new()).await;
        let (tokens, nonce) = rust.redeem(pending, &answer).await;
        let claims = rust.verified(tokens.id_token().unwrap(), Some(&nonce)).unwrap();
        rust.assert_hash(&tokens, &claims);
        let of_another = rust.verified(tokens.id_token().unwrap(), Some(&Nonce::new_random())).unwrap_err();
        assert!(matches!(of_another, ClaimsVerificationError::InvalidNonce(_)), "{alg}: {of_another:?}");
        app.wait(3600);
        let late = rust.verified(tokens.id_token().unwrap(), Some(&nonce)).unwrap_err();
        assert!(matches!(late, ClaimsVerificationError::Expired(_)), "{alg}: {late:?}");
    }
}
