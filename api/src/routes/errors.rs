//! Placeholder until merged.
#[utoipa::path(get, path = "/docs/errors", responses((status = 200)))]
pub async fn index() -> &'static str { "" }
#[utoipa::path(get, path = "/docs/errors/{code}", responses((status = 200)))]
pub async fn page() -> &'static str { "" }
