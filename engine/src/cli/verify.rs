//! `plume verify`: whether an export can be computed again.

use std::io::Write;

use super::{VerifyArgs, say};
use crate::export::verify::verify;
use crate::store::Store;
use crate::{Error, Result};

pub(super) async fn run(args: VerifyArgs) -> Result<()> {
    let store = Store::open(&args.store).await?;
    let verified = verify(&args.manifest, store).await?;
    let Some((first, others)) = verified.differences.split_first() else {
        let manifest = verified.manifest;
        let told = serde_json::json!({ "verified": manifest.files, "as_of": manifest.as_of });
        return Ok(writeln!(std::io::stdout(), "{told}")?);
    };
    others.iter().for_each(say);
    Err(Error::Unverified { first: first.clone(), others: others.len() })
}
