//! `plume export`: figures that leave the house, beside their manifest.

use std::io::Write;

use super::{ExportArgs, editions};
use crate::Result;
use crate::export::{Request, export};
use crate::store::Store;

pub(super) async fn run(args: ExportArgs) -> Result<()> {
    let store = Store::open(&args.store).await?;
    let rules = args.rules.unwrap_or_default();
    let (_, rule_files) = editions(&args.rule_files)?;
    let request = Request::now(args.kind, args.format, &args.period, &rules, rule_files);
    let (path, manifest) = export(store, request, &args.out).await?;
    let told = serde_json::json!({
        "manifest": path,
        "as_of": manifest.as_of,
        "files": manifest.files,
        "unconfirmed_rules": manifest.unconfirmed_rules.len(),
    });
    writeln!(std::io::stdout(), "{told}")?;
    Ok(())
}
