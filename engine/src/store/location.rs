//! Addresses of stores and their object stores.

use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use url::Url;

use crate::{Error, Result};

/// Where a store is.
#[derive(Debug)]
pub struct Location {
    address: String,
    url: Url,
    object_store: Arc<dyn ObjectStore>,
}

impl Location {
    /// Reads an address: a directory, `file://…`, `s3://bucket/prefix` or
    /// `memory://`, which is a new empty store each time.
    pub fn parse(address: &str) -> Result<Self> {
        let wrong = |reason: String| Error::Location(address.to_owned(), reason);
        let (url, object_store): (Url, Arc<dyn ObjectStore>) = match address.split_once("://") {
            None => (directory_url(address).map_err(wrong)?, Arc::new(LocalFileSystem::new())),
            Some(("file", _)) => {
                let url = Url::parse(address).map_err(|error| wrong(error.to_string()))?;
                let path = url.to_file_path().map_err(|()| wrong("it names no local path".to_owned()))?;
                let url =
                    Url::from_directory_path(path).map_err(|()| wrong("it names no directory".to_owned()))?;
                (url, Arc::new(LocalFileSystem::new()))
            }
            Some(("memory", _)) => {
                let url = Url::parse("memory:///").map_err(|error| wrong(error.to_string()))?;
                (url, Arc::new(InMemory::new()))
            }
            Some(("s3", _)) => {
                let url = Url::parse(&with_slash(address)).map_err(|error| wrong(error.to_string()))?;
                let bucket = url.host_str().ok_or_else(|| wrong("it names no bucket".to_owned()))?;
                let s3 = AmazonS3Builder::from_env().with_bucket_name(bucket).build()?;
                (url, Arc::new(s3))
            }
            Some((scheme, _)) => return Err(wrong(format!("'{scheme}' is no kind of store"))),
        };
        Ok(Self { address: address.to_owned(), url, object_store })
    }

    /// The address as given.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The URL of a table's folder.
    pub fn table_url(&self, name: &str) -> Result<Url> {
        let wrong = |error: url::ParseError| Error::Location(self.address.clone(), error.to_string());
        self.url.join(&format!("tables/{name}/")).map_err(wrong)
    }

    /// The object store, rooted at the URL's authority.
    pub fn object_store(&self) -> &Arc<dyn ObjectStore> {
        &self.object_store
    }
}

fn with_slash(address: &str) -> String {
    if address.ends_with('/') { address.to_owned() } else { format!("{address}/") }
}

/// The URL of a local directory, which needn't exist.
fn directory_url(path: &str) -> Result<Url, String> {
    if path.is_empty() {
        return Err("the path is empty".to_owned());
    }
    let absolute: PathBuf = std::path::absolute(path).map_err(|error| error.to_string())?;
    if absolute.is_file() {
        return Err("it is a file, not a directory".to_owned());
    }
    Url::from_directory_path(absolute).map_err(|()| "it can't be written as a URL".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_address_gives_the_tables_url() {
        let url = |address: &str| Location::parse(address).unwrap().table_url("hourly").unwrap().to_string();
        assert_eq!(url("/data/store"), "file:///data/store/tables/hourly/");
        assert_eq!(url("file:///data/store"), "file:///data/store/tables/hourly/");
        assert_eq!(url("memory://"), "memory:///tables/hourly/");
        assert_eq!(url("s3://bucket/some/prefix"), "s3://bucket/some/prefix/tables/hourly/");
    }

    #[test]
    fn a_wrong_address_says_what_is_right() {
        for address in ["ftp://host/x", "", "s3://"] {
            let error = Location::parse(address).unwrap_err().to_string();
            assert!(error.contains("s3://bucket/prefix"), "{error}");
        }
    }
}
