//! The page: plain HTML, no script, and a form that goes nowhere else.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::PAGE_PATH;

const POLICY: &str = "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The form, with a code that was checked to be letters and hyphens alone.
pub(super) fn form(user_code: &str) -> Response {
    let body = format!(
        r#"<p>A command line waits to be let in. Go on only if you began this login yourself, and if your terminal shows
this code: whoever gave you a link to click would be let in as you.</p>
<form method="post" action="{PAGE_PATH}/decision">
<p><label>Code that your terminal shows<br><input name="user_code" value="{user_code}" required autocomplete="off"
maxlength="20"></label></p>
<p><label>Your login code, from whoever runs this installation<br><input name="login_code" required autocomplete="off"
maxlength="40"></label></p>
<p><button name="decision" value="approve">Let it in</button> <button name="decision" value="deny">Refuse</button></p>
</form>"#
    );
    page(StatusCode::OK, &body)
}

/// A sentence of our own.
pub(super) fn sentence(status: StatusCode, text: &str) -> Response {
    page(status, &format!(r#"<p>{text}</p>"#))
}

fn page(status: StatusCode, body: &str) -> Response {
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Zama Jobs: log in</title></head>\n\
         <body>\n<h1>Log in to Zama Jobs</h1>\n{body}\n</body>\n</html>\n"
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, page).into_response()
}
