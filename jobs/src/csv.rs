//! CSV as RFC 4180 has it, for people who open it with a spreadsheet.

/// A line with its end; a field that would end by itself is in quotes, and one that would be computed has an apostrophe
/// before it (OWASP, CSV injection).
pub fn line(fields: &[impl AsRef<str>]) -> String {
    let fields: Vec<String> = fields.iter().map(|field| quoted(field.as_ref())).collect();
    fields.join(",") + "\n"
}

fn quoted(field: &str) -> String {
    let mark = if would_be_computed(field) { "'" } else { "" };
    if field.contains(['"', ',', '\n', '\r']) {
        format!("\"{mark}{}\"", field.replace('"', "\"\""))
    } else {
        format!("{mark}{field}")
    }
}

/// Whether a spreadsheet takes it for a formula; a number with a sign is none.
fn would_be_computed(field: &str) -> bool {
    let is_number = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    match field.strip_prefix(['+', '-']) {
        Some(rest) => !is_number(rest),
        None => field.starts_with(['=', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']),
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
            "\"paid twice, says \"\"finance\"\"\",\"two\nlines\",\"'\r\"\n"
        );
    }

    #[test]
    fn what_a_spreadsheet_would_compute_is_text() {
        assert_eq!(line(&["=1+1", "@SUM(A1)", "-A1", "+2+3", "\tx", "＝1"]), "'=1+1,'@SUM(A1),'-A1,'+2+3,'\tx,'＝1\n");
        assert_eq!(line(&["=\"a\",b"]), "\"'=\"\"a\"\",b\"\n");
        assert_eq!(line(&["-3", "+4", "-0.5", "5", "-", "a=b"]), "-3,+4,-0.5,5,'-,a=b\n");
    }
}
