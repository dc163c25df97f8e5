//! `/v1/slo`: whether objectives are kept.

use axum::Json;
use axum::extract::State;

use crate::app::App;
use crate::auth::{Caller, ToRead};
use crate::code::Code;
use crate::problem::Problem;
use crate::wire::Slo;

/// What the last run over all objectives came to. It is there once objectives are configured and were looked at.
#[utoipa::path(
    get,
    path = "/v1/slo",
    responses((status = 200, description = "The report of the last run", body = Slo)),
    security(("key" = ["read"]))
)]
pub(super) async fn report(State(app): State<App>, _: Caller<ToRead>) -> Result<Json<Slo>, Problem> {
    let missing = |detail: &str| Problem::new(Code::NotFound, detail);
    let latest =
        app.slo.as_ref().ok_or_else(|| missing("no objectives are configured: see `slo.objectives`"))?;
    let report = latest.borrow().clone().ok_or_else(|| missing("the objectives were not looked at yet"))?;
    Ok(Json(Slo::from(&*report)))
}
