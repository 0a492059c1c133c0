//! `/status`: the same data as JSON and as a page.

use axum::body::Body;
use axum::http::{Request, header};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::harness::{Authorize, Browser, TestApp};

async fn status(app: &TestApp, path: &str, accept: &str, language: &str) -> (u16, String, String, String) {
    let request = Request::get(path).header(header::ACCEPT, accept).header(header::ACCEPT_LANGUAGE, language);
    let response = app.broker.admin_router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let text = |name: header::HeaderName| {
        response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let (code, kind, csp) =
        (response.status().as_u16(), text(header::CONTENT_TYPE), text(header::CONTENT_SECURITY_POLICY));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (code, kind, csp, String::from_utf8_lossy(&body).into_owned())
}

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

#[tokio::test]
async fn a_browser_gets_the_status_as_a_page_and_everybody_else_as_json() {
    let app = TestApp::base().await;
    for accept in ["*/*", "application/json", ""] {
        let (code, kind, _, body) = status(&app, "/status", accept, "en").await;
        assert_eq!((code, kind.as_str()), (200, "application/json"), "{accept}");
        let json: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(json["providers"][0]["id"], "staff");
        assert_eq!(json["keys"][0]["state"], "current");
    }
    let json: serde_json::Value = serde_json::from_str(&status(&app, "/status", "*/*", "en").await.3).unwrap();
    let (code, kind, csp, page) = status(&app, "/status", BROWSER, "en").await;
    assert_eq!((code, kind.as_str()), (200, "text/html; charset=utf-8"));
    assert!(csp.contains("default-src 'none'") && csp.contains("style-src 'self'"), "{csp}");
    let page = page.replace("&#x2f;", "/");
    for shown in [&json["issuer"], &json["hash"], &json["providers"][0]["issuer"], &json["keys"][0]["kid"]] {
        assert!(page.contains(shown.as_str().unwrap()), "{shown}\n{page}");
    }
    assert!(status(&app, "/status", BROWSER, "de").await.3.contains("Signaturschlüssel"));
    let style = page.split('"').find(|text| text.contains("/static/style.css")).unwrap();
    let (code, kind, _, body) = status(&app, style, "*/*", "en").await;
    assert_eq!((code, kind.as_str()), (200, "text/css; charset=utf-8"));
    assert!(body.contains(".panel"));
    assert_eq!(status(&app, "/static/nothing.css", "*/*", "en").await.0, 404);
    assert_eq!(status(&app, "/elsewhere", BROWSER, "en").await.0, 404);
}

#[tokio::test]
async fn d19_what_the_file_and_a_provider_say_is_text_on_the_status_page() {
    let app = TestApp::with("providers.staff.name = \"<img src=x onerror=alert(1)>\"").await;
    app.idp().edit_discovery(|document| {
        document.insert("issuer".to_owned(), "https://evil.example/<script>alert(2)</script>".into());
    });
    Browser::new().open(&app, &Authorize::of("app").url(&app)).await.assert_error_page(502, "provider_unavailable");
    let json = status(&app, "/status", "*/*", "en").await.3;
    assert!(json.contains("onerror=alert(1)") && json.contains("alert(2)"), "{json}");
    let page = status(&app, "/status", BROWSER, "en").await.3;
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;") && page.contains("alert(2)"), "{page}");
    assert!(!page.contains("<img src=x") && !page.contains("<script>alert"), "{page}");
}
