//! Items in MySQL.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, OptsBuilder, Params, Pool, PoolConstraints, PoolOpts, ServerError};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::timeout;

use super::Database;
use super::routes::App;

/// Time for one call of the API; less than the 3 s of each try at the route, so that this server can report the reason.
const CALL_LIMIT: Duration = Duration::from_secs(2);
/// Time for readiness, less than the kubelet's one second.
const PING_LIMIT: Duration = Duration::from_millis(800);
/// The most items in a list, latest first.
const LIST_LIMIT: usize = 100;
/// Longest name, in characters.
const NAME_LIMIT: usize = 200;
/// MySQL's error number for a table that does not exist.
const NO_SUCH_TABLE: u16 = 1146;

const TABLE: &str =
    "create table if not exists items (id bigint unsigned not null auto_increment primary key, name varchar(200) not null)";

/// An item.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Item {
    id: u64,
    name: String,
}

/// A new item.
#[derive(Deserialize)]
pub(super) struct NewItem {
    name: String,
}

/// Why a call of the API failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ItemError {
    #[error("no database is configured")]
    NoDatabase,
    #[error("the database did not answer in time")]
    Timeout,
    #[error("database: {0}")]
    Database(#[from] Error),
    #[error("no such item")]
    NotFound,
    #[error("a name has 1 to {NAME_LIMIT} characters")]
    Name,
}

impl IntoResponse for ItemError {
    fn into_response(self) -> Response {
        let status = match self {
            ItemError::NotFound => StatusCode::NOT_FOUND,
            ItemError::Name => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, Json(json!({"error": self.to_string()}))).into_response()
    }
}

/// The table of items, behind a pool that opens connections on demand and drops those that died.
#[derive(Clone)]
pub(super) struct Store(Pool);

impl Store {
    /// Does not connect yet.
    pub fn new(database: Database) -> Self {
        // without an idle time, every connection beyond the first would be closed after each use
        let pool = PoolOpts::default()
            .with_constraints(PoolConstraints::new(1, 16).unwrap_or_default())
            .with_inactive_connection_ttl(Duration::from_secs(60))
            .with_ttl_check_interval(Duration::from_secs(10))
            .with_reset_connection(false);
        let options = OptsBuilder::default()
            .ip_or_hostname(database.host)
            .tcp_port(database.port)
            .user(Some(database.user))
            .pass(Some(database.password))
            .db_name(Some(database.name))
            .prefer_socket(false)
            .tcp_nodelay(true)
            .max_allowed_packet(Some(1 << 20))
            .wait_timeout(Some(3600))
            .pool_opts(pool);
        Store(Pool::new(options))
    }

    /// Succeeds if the database answers.
    pub async fn ping(&self) -> Result<(), ItemError> {
        let ask = async { self.0.get_conn().await?.query_drop("select 1").await };
        Ok(timeout(PING_LIMIT, ask).await.map_err(|_| ItemError::Timeout)??)
    }

    /// Runs `statement`; creates a missing table, once.
    async fn execute(&self, statement: &str, parameters: impl Into<Params>) -> Result<(Conn, Vec<Item>), ItemError> {
        let parameters = parameters.into();
        let run = async {
            let mut connection = self.0.get_conn().await?;
            let item = |(id, name)| Item { id, name };
            match connection.exec_map(statement, parameters.clone(), item).await {
                Err(Error::Server(ServerError { code: NO_SUCH_TABLE, .. })) => {
                    connection.query_drop(TABLE).await?;
                    let rows = connection.exec_map(statement, parameters, item).await?;
                    Ok::<_, Error>((connection, rows))
                }
                rows => rows.map(|rows| (connection, rows)),
            }
        };
        Ok(timeout(CALL_LIMIT, run).await.map_err(|_| ItemError::Timeout)??)
    }
}

/// `GET /api/items`: the latest 100.
pub(super) async fn list(State(app): State<App>) -> Result<Json<Vec<Item>>, ItemError> {
    let statement = format!("select id, name from items order by id desc limit {LIST_LIMIT}");
    Ok(Json(store(&app)?.execute(&statement, ()).await?.1))
}

/// `POST /api/items`: 201 with the new item and its location.
pub(super) async fn create(State(app): State<App>, Json(new): Json<NewItem>) -> Result<Response, ItemError> {
    let name = new.name;
    if name.is_empty() || name.chars().count() > NAME_LIMIT {
        return Err(ItemError::Name);
    }
    let (connection, _) = store(&app)?.execute("insert into items (name) values (?)", (&name,)).await?;
    let id = connection.last_insert_id().unwrap_or_default();
    let place = [(header::LOCATION, format!("/api/items/{id}"))];
    Ok((StatusCode::CREATED, place, Json(Item { id, name })).into_response())
}

/// `GET /api/items/{id}`
pub(super) async fn show(State(app): State<App>, Path(id): Path<u64>) -> Result<Json<Item>, ItemError> {
    let (_, rows) = store(&app)?.execute("select id, name from items where id = ?", (id,)).await?;
    rows.into_iter().next().map(Json).ok_or(ItemError::NotFound)
}

/// `DELETE /api/items/{id}`: 204.
pub(super) async fn remove(State(app): State<App>, Path(id): Path<u64>) -> Result<StatusCode, ItemError> {
    let (connection, _) = store(&app)?.execute("delete from items where id = ?", (id,)).await?;
    if connection.affected_rows() == 0 { Err(ItemError::NotFound) } else { Ok(StatusCode::NO_CONTENT) }
}

fn store(app: &App) -> Result<&Store, ItemError> {
    app.items.as_ref().ok_or(ItemError::NoDatabase)
}
