//! A minimal PDF 1.4: A4 pages of one typewriter font that every reader has, uncompressed.

/// Characters in a line.
pub(super) const WIDTH: usize = 80;
/// Lines on a page, the footer not counted.
const HEIGHT: usize = 52;

/// Points: 10 of height give 6 of width in Courier.
const FONT_SIZE: usize = 10;
const LEADING: usize = 14;
const LEFT: usize = 57;
const TOP: usize = 790;
const FOOTER: usize = 40;

/// A line of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Plain(String),
    Strong(String),
    /// From edge to edge.
    Rule,
}

/// A document of as many pages as its lines need, at least one.
pub(super) fn document(title: &str, footer: &str, lines: &[Line]) -> Vec<u8> {
    let pages: Vec<&[Line]> = if lines.is_empty() { vec![lines] } else { lines.chunks(HEIGHT).collect() };
    let count = pages.len();
    // 1 catalogue, 2 pages, 3 and 4 fonts, 5 what it is; then two objects a page.
    let page_objects: Vec<usize> = (0..count).map(|page| 6 + 2 * page).collect();
    let kids: Vec<String> = page_objects.iter().map(|object| format!("{object} 0 R")).collect();
    let mut file = File::new();
    file.object(b"<< /Type /Catalog /Pages 2 0 R >>");
    file.object(format!("<< /Type /Pages /Kids [{}] /Count {count} >>", kids.join(" ")).as_bytes());
    for font in ["Courier", "Courier-Bold"] {
        let font = format!("<< /Type /Font /Subtype /Type1 /BaseFont /{font} /Encoding /WinAnsiEncoding >>");
        file.object(font.as_bytes());
    }
    let mut about = b"<< /Title (".to_vec();
    about.extend(literal(title));
    about.extend(b") /Producer (Lago stand-in of Zama Jobs, not Lago) >>");
    file.object(&about);
    for (number, lines) in pages.into_iter().enumerate() {
        let contents = page_objects[number] + 1;
        let page = format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {contents} 0 R \
             /Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> >>"
        );
        file.object(page.as_bytes());
        let drawn = drawn(lines, &format!("{footer}  {}/{count}", number + 1));
        let mut stream = format!("<< /Length {} >>\nstream\n", drawn.len()).into_bytes();
        stream.extend(drawn);
        stream.extend(b"\nendstream");
        file.object(&stream);
    }
    file.finished()
}

fn drawn(lines: &[Line], footer: &str) -> Vec<u8> {
    let mut drawn = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let height = TOP - number * LEADING;
        match line {
            Line::Plain(text) => drawn.extend(shown("F1", height, text)),
            Line::Strong(text) => drawn.extend(shown("F2", height, text)),
            Line::Rule => {
                let right = LEFT + WIDTH * FONT_SIZE * 6 / 10;
                let height = height + FONT_SIZE / 3;
                drawn.extend(format!("{LEFT} {height} m {right} {height} l S\n").as_bytes());
            }
        }
    }
    drawn.extend(shown("F1", FOOTER, footer));
    drawn
}

fn shown(font: &str, height: usize, text: &str) -> Vec<u8> {
    let mut shown = format!("BT /{font} {FONT_SIZE} Tf {LEFT} {height} Td (").into_bytes();
    shown.extend(literal(text));
    shown.extend(b") Tj ET\n");
    shown
}

/// Text in Windows-1252, as far as it has the letters; what would end the literal is escaped.
fn literal(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '(' | ')' | '\\' => bytes.extend([b'\\', u8::try_from(letter).unwrap_or(b'?')]),
            '€' => bytes.push(0x80),
            ' '..='~' | '\u{a0}'..='\u{ff}' => bytes.push(u8::try_from(u32::from(letter)).unwrap_or(b'?')),
            _ => bytes.push(b'?'),
        }
    }
    bytes
}

/// The file as it grows; objects are numbered from 1 in the order in which they come.
struct File {
    bytes: Vec<u8>,
    offsets: Vec<usize>,
}

impl File {
    fn new() -> Self {
        // Bytes beyond ASCII tell programs that this is no text.
        Self { bytes: b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n".to_vec(), offsets: Vec::new() }
    }

    fn object(&mut self, body: &[u8]) {
        self.offsets.push(self.bytes.len());
        self.bytes.extend(format!("{} 0 obj\n", self.offsets.len()).as_bytes());
        self.bytes.extend(body);
        self.bytes.extend(b"\nendobj\n");
    }

    fn finished(mut self) -> Vec<u8> {
        let table = self.bytes.len();
        let size = self.offsets.len() + 1;
        self.bytes.extend(format!("xref\n0 {size}\n0000000000 65535 f \n").as_bytes());
        for offset in &self.offsets {
            self.bytes.extend(format!("{offset:010} 00000 n \n").as_bytes());
        }
        let trailer = format!("trailer\n<< /Size {size} /Root 1 0 R /Info 5 0 R >>\nstartxref\n{table}\n%%EOF\n");
        self.bytes.extend(trailer.as_bytes());
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(bytes: &[u8], of: &[u8]) -> usize {
        bytes.windows(of.len()).rposition(|window| window == of).unwrap()
    }

    fn number(bytes: &[u8]) -> usize {
        std::str::from_utf8(bytes).unwrap().trim().parse().unwrap()
    }

    /// As a reader reads it: from the end, by the table.
    #[test]
    fn every_object_is_where_the_table_says_and_as_long_as_it_says() {
        let lines: Vec<Line> = (0..120).map(|number| Line::Plain(format!("line {number}"))).collect();
        let bytes = document("Invoice (1)", "foot", &lines);
        let start = position(&bytes, b"startxref\n") + b"startxref\n".len();
        let table = number(&bytes[start..position(&bytes, b"%%EOF")]);
        assert!(bytes[table..].starts_with(b"xref\n0 12\n"), "five objects, and two for each of three pages");
        let entries = table + b"xref\n0 12\n".len();
        for object in 1..12 {
            let entry = entries + object * 20;
            let offset = number(&bytes[entry..entry + 10]);
            assert!(bytes[offset..].starts_with(format!("{object} 0 obj\n").as_bytes()), "object {object}");
        }
    }

    #[test]
    fn a_stream_is_as_long_as_it_says() {
        let bytes = document("t", "foot", &[Line::Strong("Zama (π, é, €) \\ €5".to_owned()), Line::Rule]);
        let length = position(&bytes, b"/Length ") + b"/Length ".len();
        let said = number(&bytes[length..length + bytes[length..].iter().position(|byte| *byte == b' ').unwrap()]);
        let start = position(&bytes, b">>\nstream\n") + b">>\nstream\n".len();
        assert!(bytes[start + said..].starts_with(b"\nendstream"));
        let text = b"(Zama \\(?, \xe9, \x80\\) \\\\ \x805)";
        assert!(position(&bytes, text) > start, "escaped, in Windows-1252, with what it has not as ?");
    }
}
