//! Text tables.

/// A table with aligned columns, which is valid Markdown.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(header: &[&str]) -> Self {
        Self { rows: vec![header.iter().map(|word| (*word).to_owned()).collect()] }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Formats the table, each column as wide as its widest cell. Empty without rows.
    pub(super) fn text(mut self) -> String {
        if self.rows.len() < 2 {
            return String::new();
        }
        let mut widths = Vec::new();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.len().max(*width);
            }
        }
        self.rows.insert(1, widths.iter().map(|width| "-".repeat(*width)).collect());
        self.rows.iter().map(|row| line(row, &widths)).collect()
    }
}

/// Formats a row: numbers aligned to the right, words to the left.
fn line(cells: &[String], widths: &[usize]) -> String {
    let padded = cells.iter().zip(widths).map(|(cell, width)| {
        match cell.starts_with(|first: char| first.is_ascii_digit()) || cell == "-" {
            true => format!(" {cell:>width$} |"),
            false => format!(" {cell:<width$} |"),
        }
    });
    format!("|{}\n", padded.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&["name", "us"]);
        table.row(["a".to_owned(), "10.5".to_owned()]);
        table.row(["longer".to_owned(), "9.5".to_owned()]);
        let lines = [
            "| name   | us   |",
            "| ------ | ---- |",
            "| a      | 10.5 |",
            "| longer |  9.5 |",
            "",
        ];
        assert_eq!(table.text(), lines.join("\n"));
        assert_eq!(Table::new(&["name"]).text(), "");
    }
}
