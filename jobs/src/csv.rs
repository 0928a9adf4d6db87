//! CSV as RFC 4180 has it.

/// A line with its end; a field that would end by itself is in quotes.
pub fn line(fields: &[impl AsRef<str>]) -> String {
    let fields: Vec<String> = fields.iter().map(|field| quoted(field.as_ref())).collect();
    fields.join(",") + "\n"
}

fn quoted(field: &str) -> String {
    if field.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_field_is_quoted() {
        assert_eq!(line(&["compute_units", "", "-3"]), "compute_units,,-3\n");
        assert_eq!(
            line(&["paid twice, says \"finance\"", "two\nlines", "\r"]),
            "\"paid twice, says \"\"finance\"\"\",\"two\nlines\",\"\r\"\n"
        );
    }
}
