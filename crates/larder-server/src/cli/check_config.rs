//! The output of `larder check-config`.

use crate::config::Resolved;

/// Formats name, value and source of each setting in columns, then the notices.
pub(crate) fn text(resolved: &Resolved) -> String {
    let lines = &resolved.lines;
    let names = lines.iter().map(|line| line.name.len()).max().unwrap_or_default();
    let values = lines.iter().map(|line| line.value.len()).max().unwrap_or_default().min(40);
    let rows = lines
        .iter()
        .map(|line| format!("{:names$}  {:values$}  {}", line.name, line.value, line.source));
    let notices = resolved.config.notices.iter().map(|notice| format!("notice: {notice}"));
    rows.chain(notices).collect::<Vec<_>>().join("\n")
}
