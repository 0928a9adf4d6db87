//! Gathers `docs/errors/*.md` into one table, so that the server can show the page that a problem's type leads to.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folder =
        Path::new(&env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?).join("../docs/errors").canonicalize()?;
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut pages: Vec<_> = fs::read_dir(&folder)?.collect::<Result<_, _>>()?;
    pages.sort_by_key(fs::DirEntry::file_name);
    let mut table =
        String::from("/// The pages: name without extension, Markdown.\nstatic PAGES: &[(&str, &str)] = &[\n");
    for page in pages {
        let path = page.path();
        let Some(name) = path.file_stem().and_then(|name| name.to_str()) else { continue };
        writeln!(table, "    ({name:?}, include_str!({:?})),", path.display().to_string()).map_err(io::Error::other)?;
    }
    table.push_str("];\n");
    let target = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    fs::write(Path::new(&target).join("error_pages.rs"), table)
}
