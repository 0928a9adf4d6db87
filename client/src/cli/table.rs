//! Aligned text: tables with a heading, and lists of name and value.

/// A table whose last column runs free. Cells are not coloured, so that they align.
pub(super) struct Table {
    heading: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

/// Space between columns.
const GAP: &str = "  ";

impl Table {
    pub fn new(heading: &[&'static str]) -> Self {
        Self { heading: heading.to_vec(), rows: Vec::new() }
    }

    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The lines, the heading first; `paint` colours a padded cell given its row (none for the heading) and column.
    pub fn render(&self, paint: impl Fn(Option<usize>, usize, &str) -> String) -> String {
        let widths: Vec<usize> = (0..self.heading.len())
            .map(|column| {
                let cells = self.rows.iter().map(|row| row[column].chars().count());
                cells.chain([self.heading[column].len()]).max().unwrap_or_default()
            })
            .collect();
        let line = |row: Option<usize>, cells: &[&str]| {
            let padded = cells.iter().enumerate().map(|(column, cell)| {
                let last = column + 1 == cells.len();
                let fill = if last { 0 } else { widths[column] - cell.chars().count() };
                format!("{}{}", paint(row, column, cell), " ".repeat(fill))
            });
            padded.collect::<Vec<_>>().join(GAP).trim_end().to_owned() + "\n"
        };
        let mut text = line(None, &self.heading);
        for (number, row) in self.rows.iter().enumerate() {
            let cells: Vec<&str> = row.iter().map(String::as_str).collect();
            text.push_str(&line(Some(number), &cells));
        }
        text
    }
}

/// `name  value` lines with the values below each other.
pub(super) fn pairs<N: AsRef<str>>(pairs: &[(N, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.as_ref().chars().count()).max().unwrap_or_default();
    pairs
        .iter()
        .map(|(name, value)| {
            let name = name.as_ref();
            let fill = " ".repeat(width - name.chars().count());
            format!("{name}{fill}{GAP}{value}\n")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_and_lines_have_no_tail() {
        let mut table = Table::new(&["ID", "STATUS", ""]);
        table.row(vec!["a-long-id".to_owned(), "é".to_owned(), "x".to_owned()]);
        table.row(vec!["b".to_owned(), "FAILED".to_owned(), String::new()]);
        let text = table.render(|_, _, cell| cell.to_owned());
        assert_eq!(text, "ID         STATUS\na-long-id  é       x\nb          FAILED\n");
    }

    #[test]
    fn values_stand_below_each_other() {
        let text = pairs(&[("Job", "1".to_owned()), ("Status", "2".to_owned())]);
        assert_eq!(text, "Job     1\nStatus  2\n");
    }
}
