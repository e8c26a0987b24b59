//! Describes the routes of declared origins: `/users/{id}` and the like.

use super::{
    super::origin::no_such_row,
    errors::{ErrorResponses, response},
    operation::Operation,
    schema::content,
};
use crate::origins::DeclaredOrigin;
use serde_json::{Value, json};
use utoipa::openapi::{HttpMethod, ObjectBuilder, PathItem, path::PathItemBuilder};

pub(super) const TAG: &str = "origins";

/// Maximum bytes of an example. Larger rows are left out.
const EXAMPLE_BYTES_MAX: usize = 2 << 10;

/// Describes reading and forgetting a row. The example is an existing row if `shows_rows`.
pub(super) fn path_item(
    origin: &DeclaredOrigin,
    errors: &ErrorResponses,
    shows_rows: bool,
) -> PathItem {
    let config = origin.config();
    let (id, row) = match origin.example().filter(|_| shows_rows) {
        Some((id, row)) if row.len() <= EXAMPLE_BYTES_MAX => {
            (id, serde_json::from_slice(&row).unwrap_or_default())
        }
        Some((id, _)) => (id, Value::Null),
        None => ("1".to_owned(), Value::Null),
    };
    let body = match row {
        Value::Null => content(ObjectBuilder::new(), json!({})),
        row => content(ObjectBuilder::new(), row),
    };
    let about = format!(
        "Read from memory, else from the store under the key `{}`, else from the origin. The store \
         keeps a row for {:?} and the absence of one for {:?}.",
        config.key, config.ttl, config.negative_ttl,
    );
    let operation = |verb: &str, summary: &str| {
        let name = &config.name;
        let operation = Operation::new(TAG, format!("{verb}_{name}"), summary.replace("{}", name));
        operation.path_parameter("id", "The id of the row, percent-encoded", &id)
    };
    let read = operation("read", "A row of {}")
        .about(about)
        .value("The row", vec![("application/json", body)])
        .response(404, response(&no_such_row(), "The origin has no such row"))
        .fails(errors, &[400, 401, 403, 412, 414, 422, 429, 502, 503, 504]);
    let forget = operation("forget", "Forget the cached row of {}")
        .about("Deletes the row from the memory and the store. The next read loads it from the origin.")
        .no_content("The row is no longer cached")
        .fails(errors, &[400, 401, 403, 414, 429, 501, 502, 503, 504]);
    PathItemBuilder::new()
        .operation(HttpMethod::Get, read)
        .operation(HttpMethod::Delete, forget)
        .build()
}
