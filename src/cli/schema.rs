//! `hearth schema`: JSON schemas for editors.

use super::Context;
use super::args::{SchemaArgs, SchemaOf};
use crate::error::Result;

pub fn run(context: &Context, args: &SchemaArgs) -> Result<u8> {
    let schema = match args.of {
        SchemaOf::Profile => crate::profile::json_schema(),
        SchemaOf::Scenario => crate::scenario::json_schema(),
        SchemaOf::Comparison => crate::compare::json_schema(),
        SchemaOf::ComparisonResult => crate::compare::result_schema(),
    };
    context.result(&schema, || format!("{schema:#}"))?;
    Ok(0)
}
