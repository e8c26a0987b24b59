//! The declared origins: `/users/{id}` and the like.

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

/// An example of this size says enough.
const EXAMPLE_BYTES_MAX: usize = 2 << 10;

/// Reading and forgetting a row. The examples are rows that exist, where everybody may see rows.
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
        "From memory, else from the store, where it is `{}`, else from the origin. The store keeps \
         it for {:?}; that there is no such row is remembered for {:?}.",
        config.key, config.ttl, config.negative_ttl,
    );
    let operation = |verb: &str, summary: &str| {
        let name = &config.name;
        let operation = Operation::new(TAG, format!("{verb}_{name}"), summary.replace("{}", name));
        operation.part("id", "The row's id, percent-encoded", &id)
    };
    let read = operation("read", "A row of {}")
        .about(about)
        .value("The row", vec![("application/json", body)])
        .answer(404, response(&no_such_row(), "The origin has no such row"))
        .fails(errors, &[400, 401, 403, 412, 414, 422, 429, 502, 503, 504]);
    let forget = operation("forget", "Forget what is kept of a row of {}")
        .about("Here and in the store. The next read asks the origin.")
        .done("Nothing is kept of it")
        .fails(errors, &[400, 401, 403, 414, 429, 501, 502, 503, 504]);
    PathItemBuilder::new()
        .operation(HttpMethod::Get, read)
        .operation(HttpMethod::Delete, forget)
        .build()
}
