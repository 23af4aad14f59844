//! The folder of an export: its files and the manifest, all of them or none.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::Request;
use super::manifest::{FILE_NAME, Manifest};
use super::rendered::Rendered;
use crate::{Error, Result};

/// The ending of a file that isn't whole yet.
const PARTIAL: &str = "partial";

/// Refuses a folder that holds anything but an earlier export of the same.
pub(super) fn check(out: &Path, request: &Request) -> Result<()> {
    let refused = |why: &str| {
        let path = out.display();
        Err(Error::Usage(format!(
            "{path} {why}; give --out a new or empty folder, or that of the same export"
        )))
    };
    if !out.exists() {
        return Ok(());
    }
    if !out.is_dir() {
        return refused("is no folder");
    }
    let entries = fs::read_dir(out).map_err(|error| failed(out, &error))?;
    // What a killed process left half-written is written anew.
    if entries.flatten().all(|entry| entry.path().extension().is_some_and(|ending| ending == PARTIAL)) {
        return Ok(());
    }
    match Manifest::read(&out.join(FILE_NAME)) {
        Ok(manifest) if manifest.is_of(request) => Ok(()),
        Ok(_) => refused("holds another export"),
        Err(_) => refused("is not empty"),
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    let full = if error.kind() == std::io::ErrorKind::StorageFull {
        "; make room and run the command again"
    } else {
        ""
    };
    Error::Input { path: path.display().to_string(), reason: format!("{error}{full}") }
}

/// Writes the files and, last, the manifest; each gets its name when all are whole.
pub(super) fn write(out: &Path, files: &[Rendered], manifest: &Manifest) -> Result<PathBuf> {
    let made = made_folders(out);
    fs::create_dir_all(out).map_err(|error| failed(out, &error))?;
    let text = manifest.text();
    let contents = files.iter().map(|file| (file.name.as_str(), file.bytes.as_slice()));
    let contents: Vec<_> = contents.chain([(FILE_NAME, text.as_bytes())]).collect();
    let written = contents.iter().try_for_each(|(name, bytes)| write_partial(&partial(out, name), bytes));
    let named = written.and_then(|()| {
        contents.iter().try_for_each(|(name, _)| {
            let path = out.join(name);
            fs::rename(partial(out, name), &path).map_err(|error| failed(&path, &error))
        })
    });
    if let Err(error) = named {
        for (name, _) in &contents {
            let _ = fs::remove_file(partial(out, name));
        }
        // Only where they are empty.
        made.iter().for_each(|folder| {
            let _ = fs::remove_dir(folder);
        });
        return Err(error);
    }
    Ok(out.join(FILE_NAME))
}

/// The folders that have to be made, innermost first.
fn made_folders(out: &Path) -> Vec<PathBuf> {
    out.ancestors().take_while(|folder| !folder.exists()).map(Path::to_path_buf).collect()
}

fn partial(out: &Path, name: &str) -> PathBuf {
    out.join(format!("{name}.{PARTIAL}"))
}

fn write_partial(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || {
        let mut file = fs::File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error: std::io::Error| failed(path, &error))
}
