//! `/metrics`, in the text format of Prometheus.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use crate::admin::Admin;
use crate::web::respond;

/// `/metrics`.
pub(super) async fn metrics(State(admin): State<Arc<Admin>>) -> Response {
    let snapshot = admin.snapshot.load_full();
    let failed = u8::from(admin.reload_status.failed());
    let text = format!(
        "# HELP countersign_config_generation Number of the configuration generation in force.\n\
         # TYPE countersign_config_generation gauge\n\
         countersign_config_generation {}\n\
         # HELP countersign_config_info Hash of the configuration in force.\n\
         # TYPE countersign_config_info gauge\n\
         countersign_config_info{{hash=\"{}\"}} 1\n\
         # HELP countersign_config_reload_failed Whether the files have problems and an older generation is in force.\n\
         # TYPE countersign_config_reload_failed gauge\n\
         countersign_config_reload_failed {failed}\n",
        snapshot.generation, snapshot.hash
    );
    respond::text("text/plain; version=0.0.4; charset=utf-8", text)
}
