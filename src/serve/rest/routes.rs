//! The routes.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::api::{Backend, CallError, Status};
use super::guard::Guard;
use super::{docs, openapi, result};
use crate::message::Arguments;
use crate::serve::access::require_token;
use crate::util::suggest::did_you_mean;

/// Lines of the log when `tail` does not say.
const TAIL: usize = 100;

#[derive(Clone)]
struct Server {
    backend: Arc<dyn Backend>,
    status: Arc<dyn Status>,
    guard: Guard,
}

/// The routes over `backend`, checked by `guard`. Merge them into the app beside `/mcp`, below [`crate::serve::access::check_caller`].
pub fn routes(backend: Arc<dyn Backend>, status: Arc<dyn Status>, guard: &Guard) -> Router {
    let server = Server {
        backend,
        status,
        guard: guard.clone(),
    };
    let mut secret = Router::new()
        .route("/openapi.json", get(describe))
        .route("/logs", get(logs))
        // Names of tools may hold slashes.
        .route("/api/tools/{*name}", post(call));
    if let Some(token) = &guard.token {
        secret = secret.layer(from_fn_with_state(token.clone(), require_token));
    }
    Router::new()
        .route("/health", get(health))
        .route("/docs", get(docs::page))
        .merge(secret)
        .layer(from_fn(never_stored))
        .with_state(server)
}

/// What is told is true now: after a reload it may not be.
async fn never_stored(request: Request, next: axum::middleware::Next) -> Response {
    let mut response = next.run(request).await;
    let value = header::HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, value);
    response
}

async fn health(State(server): State<Server>) -> Response {
    let health = server.status.health();
    let code = match health["status"].as_str() {
        Some("ok" | "degraded") => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    (code, Json(health)).into_response()
}

async fn describe(State(server): State<Server>) -> Response {
    let (name, version) = server.backend.identity();
    match server.backend.tools().await {
        Ok(tools) => {
            let needs_token = server.guard.token.is_some();
            Json(openapi::document(&name, &version, &tools, needs_token)).into_response()
        }
        Err(words) => failure(StatusCode::SERVICE_UNAVAILABLE, &words),
    }
}

async fn logs(State(server): State<Server>, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let mut lines = TAIL;
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        if name == "tail" {
            match value.parse() {
                Ok(number) => lines = number,
                Err(_) => {
                    return failure(
                        StatusCode::BAD_REQUEST,
                        "`tail` must be a number of lines, such as /logs?tail=200",
                    );
                }
            }
        }
    }
    // Text, also for a browser that would rather guess: what an environment prints may look like a page.
    (
        [
            (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ],
        server.status.log_tail(lines),
    )
        .into_response()
}

async fn call(State(server): State<Server>, Path(name): Path<String>, body: Body) -> Response {
    let arguments = match arguments(body, server.guard.body_bytes).await {
        Ok(arguments) => arguments,
        Err(response) => return response,
    };
    // A hidden tool is in no list and can be called all the same.
    if !name.starts_with('_') {
        match server.backend.tools().await {
            Ok(tools) if !tools.iter().any(|tool| tool.name == name) => {
                let near = did_you_mean(&name, tools.iter().map(|tool| tool.name.as_str()));
                return failure(
                    StatusCode::NOT_FOUND,
                    &format!("there is no tool `{name}`{near}"),
                );
            }
            Ok(_) => {}
            Err(words) => return failure(StatusCode::SERVICE_UNAVAILABLE, &words),
        }
    }
    match server.backend.call(&name, arguments).await {
        Ok(answer) => match result::answer(&answer) {
            Ok(answer) => Json(answer).into_response(),
            Err(words) => failure(StatusCode::BAD_REQUEST, &words),
        },
        Err(error) => {
            let code = match &error {
                CallError::Unknown(_) => StatusCode::NOT_FOUND,
                CallError::Refused(_) => StatusCode::BAD_REQUEST,
                CallError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
                CallError::Timeout(_) => StatusCode::GATEWAY_TIMEOUT,
            };
            failure(code, &error.to_string())
        }
    }
}

/// The JSON object in `body`; an empty body is an empty object.
async fn arguments(body: Body, limit: usize) -> Result<Map<String, Value>, Response> {
    let bytes = to_bytes(body, limit).await.map_err(|_| {
        failure(
            StatusCode::PAYLOAD_TOO_LARGE,
            &format!("the body is larger than {limit} bytes, or ended early"),
        )
    })?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| failure(StatusCode::BAD_REQUEST, "the body is not UTF-8"))?;
    match Arguments::parse(text) {
        Arguments::Object { value } => Ok(value),
        Arguments::Malformed { error, .. } => Err(failure(
            StatusCode::BAD_REQUEST,
            &format!("the body must be the tool's arguments: {error}"),
        )),
    }
}

fn failure(code: StatusCode, words: &str) -> Response {
    (code, Json(json!({ "error": words }))).into_response()
}
