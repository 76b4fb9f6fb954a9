//! Profiles from files: by name from a folder, or by path. Traces stand beside the profile that names them.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use cc_netem::{Profile, MAX_PROFILE};

/// The most bytes of a trace's file: a million lines, the model's own bound, of 64 bytes each.
const MAX_TRACE: u64 = 64 << 20;

/// Loads the profile called or kept in `what`. The error is a line with file and field.
pub fn load(folder: Option<&Path>, what: &str) -> Result<Profile, String> {
    let (path, shown) = locate(folder, what)?;
    let text = match read(&path, MAX_PROFILE as u64) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(missing(folder, what)),
        Err(error) => return Err(format!("{shown}: cannot be read: {error}")),
    };
    let home = path.parent().map(Path::to_path_buf).unwrap_or_default();
    Profile::parse(&shown, &text, &mut |trace| read(&home.join(trace), MAX_TRACE).ok())
        .map_err(|error| error.to_string())
}

/// Where a profile is, and how errors call it.
fn locate(folder: Option<&Path>, what: &str) -> Result<(PathBuf, String), String> {
    if what.is_empty() {
        return Err("a profile's name is empty".to_owned());
    }
    if is_file(what) {
        return Ok((PathBuf::from(what), what.to_owned()));
    }
    let folder = folder.ok_or_else(|| format!("profile {what:?}: names need --profiles DIR, else pass a file"))?;
    let file = format!("{what}.json");
    Ok((folder.join(&file), file))
}

fn is_file(what: &str) -> bool {
    what.ends_with(".json") || what.contains(['/', '\\'])
}

fn missing(folder: Option<&Path>, what: &str) -> String {
    if is_file(what) {
        return format!("{what}: there is no such file");
    }
    let entries = folder.and_then(|folder| folder.read_dir().ok()).into_iter().flatten().flatten();
    let name = |path: PathBuf| {
        path.extension().filter(|end| *end == "json").and(path.file_stem()?.to_str().map(str::to_owned))
    };
    let mut names: Vec<String> = entries.filter_map(|entry| name(entry.path())).collect();
    names.sort();
    match names.is_empty() {
        true => format!("no profile {what:?}: the folder of profiles has none"),
        false => format!("no profile {what:?}: there are {}, or pass a file", names.join(", ")),
    }
}

/// A file of at most `most` bytes of UTF-8.
fn read(path: &Path, most: u64) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(most + 1).read_to_string(&mut text)?;
    if text.len() as u64 > most {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it has more than {most} bytes")));
    }
    Ok(text)
}
