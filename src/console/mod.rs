//! The web console inside the binary: the files that `make web` builds, served from memory under a strict content policy.
//!
//! The console has no privileges of its own. It is a page that calls the public API on the same origin, so this module
//! knows nothing of the store or of keys. `web/dist` may be missing when the crate is compiled; then `/` says how to build it.

use axum::{
    Router,
    extract::Path,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use rust_embed::RustEmbed;
use std::borrow::Cow;

/// What the console's own pages may load: only this origin's files; no inline script, no inline style, no frames around it.
/// Trusted Types makes the browser refuse any text that is turned into markup.
const CONSOLE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// Shown at `/` by a binary that was compiled without the console.
const NOT_BUILT_PAGE: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
    <meta name=\"viewport\" content=\"width=device-width\">\n<title>Clientele</title>\n<h1>Clientele is running</h1>\n\
    <p>This binary was compiled without the web console. To have it, run <code>make web</code> in the source folder \
    (it needs Node 20.19 or newer), then build again.</p>\n\
    <p>The API is here all the same: <a href=\"/docs\">read its documentation</a>.</p>\n</html>\n";

/// Hashed files never change under one name.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

#[derive(RustEmbed)]
#[folder = "web/dist"]
#[allow_missing = true]
struct Dist;

/// A file of the built console by its path below `web/dist`.
type Files = fn(&str) -> Option<Cow<'static, [u8]>>;

/// Serves the console's page at `/` and its files at `/console/assets/…`; `/console` leads to `/`.
pub fn router() -> Router {
    router_over(|path| Dist::get(path).map(|file| file.data))
}

fn router_over(files: Files) -> Router {
    Router::new()
        .route("/", get(async move || page(files)))
        .route("/console", get(async || Redirect::permanent("/")))
        .route("/console/", get(async || Redirect::permanent("/")))
        .route("/console/assets/{*path}", get(async move |Path(path): Path<String>| asset(files, &path)))
}

fn page(files: Files) -> Response {
    let (policy, body) = match files("index.html") {
        Some(index) => (CONSOLE_POLICY, index),
        None => ("default-src 'none'; frame-ancestors 'none'", Cow::Borrowed(NOT_BUILT_PAGE.as_bytes())),
    };
    let mut headers = common_headers("text/html; charset=utf-8", "no-cache");
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    (headers, body).into_response()
}

fn asset(files: Files, path: &str) -> Response {
    match files(&format!("assets/{path}")) {
        Some(body) => (common_headers(content_type(path), FOR_EVER), body).into_response(),
        // A page from before an upgrade may ask for a file that is gone: the miss must not be remembered.
        None => {
            let headers = common_headers("text/plain; charset=utf-8", "no-store");
            (StatusCode::NOT_FOUND, headers, "The console has no such file. Reload the page.\n").into_response()
        }
    }
}

fn common_headers(content_type: &'static str, cache_control: &'static str) -> HeaderMap {
    let pairs: [(HeaderName, &'static str); 5] = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, cache_control),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    pairs.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect()
}

/// The kinds of file the console's build makes; anything else is bytes that no browser will run.
fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    fn built(path: &str) -> Option<Cow<'static, [u8]>> {
        match path {
            "index.html" => Some(Cow::Borrowed(b"<!doctype html><title>built</title>")),
            "assets/index-1a2b.js" => Some(Cow::Borrowed(b"export {}")),
            "assets/index-1a2b.css" => Some(Cow::Borrowed(b"a{}")),
            "assets/icon-1a2b.svg" => Some(Cow::Borrowed(b"<svg/>")),
            "assets/other-1a2b.wasm" => Some(Cow::Borrowed(b"\0")),
            "secret.txt" => Some(Cow::Borrowed(b"outside the assets folder")),
            _ => None,
        }
    }

    struct Answer {
        status: StatusCode,
        headers: HeaderMap,
        body: String,
    }

    impl Answer {
        fn header(&self, name: impl header::AsHeaderName) -> &str {
            self.headers.get(name).map_or("", |value| value.to_str().unwrap())
        }
    }

    async fn get_from(router: Router, path: &str) -> Answer {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status, headers: parts.headers, body: String::from_utf8_lossy(&body).into_owned() }
    }

    #[tokio::test]
    async fn the_page_is_asked_for_anew_each_time_under_a_strict_policy() {
        let answer = get_from(router_over(built), "/").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.body.contains("built"));
        assert_eq!(answer.header(header::CONTENT_TYPE), "text/html; charset=utf-8");
        assert_eq!(answer.header(header::CACHE_CONTROL), "no-cache");
        assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        let policy = answer.header(header::CONTENT_SECURITY_POLICY);
        assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }

    #[tokio::test]
    async fn assets_have_their_type_and_are_kept_for_ever() {
        for (name, content_type) in [
            ("index-1a2b.js", "text/javascript; charset=utf-8"),
            ("index-1a2b.css", "text/css; charset=utf-8"),
            ("icon-1a2b.svg", "image/svg+xml"),
            ("other-1a2b.wasm", "application/octet-stream"),
        ] {
            let answer = get_from(router_over(built), &format!("/console/assets/{name}")).await;
            assert_eq!(answer.status, StatusCode::OK, "{name}");
            assert_eq!(answer.header(header::CONTENT_TYPE), content_type, "{name}");
            assert_eq!(answer.header(header::CACHE_CONTROL), FOR_EVER, "{name}");
            assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff", "{name}");
        }
    }

    #[tokio::test]
    async fn nothing_outside_the_assets_is_reached_and_a_miss_is_not_remembered() {
        for path in [
            "/console/assets/gone-9f9f.js",
            "/console/assets/../secret.txt",
            "/console/assets/%2e%2e/secret.txt",
            "/console/assets/..%2fsecret.txt",
            "/console/assets//etc/passwd",
        ] {
            let answer = get_from(router_over(built), path).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
            assert_eq!(answer.header(header::CACHE_CONTROL), "no-store", "{path}");
        }
    }

    #[tokio::test]
    async fn a_binary_without_the_console_says_how_to_build_it() {
        let answer = get_from(router_over(|_| None), "/").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.body.contains("make web") && answer.body.contains("href=\"/docs\""), "{}", answer.body);
        assert_eq!(answer.header(header::CONTENT_TYPE), "text/html; charset=utf-8");
        assert_eq!(answer.header(header::CACHE_CONTROL), "no-cache");
        assert!(answer.header(header::CONTENT_SECURITY_POLICY).starts_with("default-src 'none'"));
    }

    #[tokio::test]
    async fn the_folder_s_name_leads_to_the_page() {
        for path in ["/console", "/console/"] {
            let answer = get_from(router_over(built), path).await;
            assert_eq!(answer.status, StatusCode::PERMANENT_REDIRECT, "{path}");
            assert_eq!(answer.header(header::LOCATION), "/", "{path}");
        }
    }

    #[test]
    fn the_mock_server_that_the_pages_are_developed_on_has_the_same_policy() {
        assert!(include_str!("../../web/mock/server.mjs").contains(CONSOLE_POLICY));
    }

    /// Holds whichever way the crate was compiled: the page that is embedded asks only for files that are embedded too.
    #[tokio::test]
    async fn every_file_the_embedded_page_names_is_served() {
        let answer = get_from(router(), "/").await;
        assert_eq!(answer.status, StatusCode::OK);
        if Dist::get("index.html").is_none() {
            assert!(answer.body.contains("make web"));
            return;
        }
        let named: Vec<&str> = answer.body.split('"').filter(|part| part.starts_with("/console/")).collect();
        assert!(named.len() >= 2, "a script and a style sheet at least: {named:?}");
        for path in named {
            assert_eq!(get_from(router(), path).await.status, StatusCode::OK, "{path}");
        }
    }
}
