//! Half-written files of a store in a local directory.
//!
//! `object_store` writes `NAME#1` and renames it when it is whole. A process that
//! is killed in between leaves it, and the object store doesn't list it.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use url::Url;

use crate::Result;

/// A half-written file.
#[derive(Debug)]
pub(super) struct StagedFile {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) modified: SystemTime,
}

/// The half-written files under a folder; none where it isn't local.
pub(super) async fn staged_files(folder: Url) -> Result<Vec<StagedFile>> {
    let Ok(folder) = folder.to_file_path() else { return Ok(Vec::new()) };
    tokio::task::spawn_blocking(move || {
        let mut staged = Vec::new();
        collect(&folder, &mut staged)?;
        Ok(staged)
    })
    .await?
}

fn collect(folder: &Path, staged: &mut Vec<StagedFile>) -> Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    for entry in entries {
        let entry = entry?;
        // A file that was whole a moment ago may have its name by now.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            collect(&entry.path(), staged)?;
        } else if is_staged(&entry.file_name().to_string_lossy()) {
            staged.push(StagedFile {
                path: entry.path(),
                bytes: metadata.len(),
                modified: metadata.modified()?,
            });
        }
    }
    Ok(())
}

fn is_staged(name: &str) -> bool {
    name.rsplit_once('#')
        .is_some_and(|(_, digits)| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn staged_files_are_found_at_any_depth_and_whole_ones_left() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("month=2026-01-01")).unwrap();
        for name in ["month=2026-01-01/a.parquet#1", "month=2026-01-01/b.parquet", "c#d"] {
            std::fs::write(folder.path().join(name), "four").unwrap();
        }
        let found = staged_files(Url::from_directory_path(folder.path()).unwrap()).await.unwrap();
        assert_eq!(found.len(), 1);
        assert!(found[0].path.ends_with("a.parquet#1"));
        assert_eq!(found[0].bytes, 4);
        let nowhere = Url::from_directory_path(folder.path().join("nowhere")).unwrap();
        assert!(staged_files(nowhere).await.unwrap().is_empty());
    }
}
