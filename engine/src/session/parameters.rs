//! Parameters of a statement, put into its syntax tree before it is planned, so
//! that table functions take them, too. No text is pasted into SQL.

use std::ops::ControlFlow;

use datafusion::common::{Result, plan_err};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Expr, Value, visit_expressions_mut};

/// Puts values in the place of `$name`. A parameter without a value is an error.
pub(super) fn bind(statement: &mut Statement, values: &[(String, Expr)]) -> Result<()> {
    let Statement::Statement(statement) = statement else { return Ok(()) };
    let unknown = visit_expressions_mut(statement.as_mut(), |expr| {
        let Expr::Value(value) = expr else { return ControlFlow::Continue(()) };
        let Value::Placeholder(name) = &value.value else { return ControlFlow::Continue(()) };
        match values.iter().find(|(known, _)| name.strip_prefix('$') == Some(known)) {
            Some((_, value)) => *expr = value.clone(),
            None => return ControlFlow::Break(name.clone()),
        }
        ControlFlow::Continue(())
    });
    match unknown {
        ControlFlow::Break(name) => plan_err!("there is no value for parameter {name}"),
        ControlFlow::Continue(()) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::config::Dialect;
    use datafusion::prelude::SessionContext;

    fn bound(sql: &str) -> Result<String> {
        let state = SessionContext::new().state();
        let mut statement = state.sql_to_statement(sql, &Dialect::Generic)?;
        let word = Expr::Value(Value::SingleQuotedString("it's; DROP".to_owned()).into());
        bind(&mut statement, &[("word".to_owned(), word)])?;
        Ok(statement.to_string())
    }

    #[test]
    fn values_stand_where_their_names_stood_even_in_table_functions() {
        let sql = "SELECT * FROM f($word) WHERE a = $word";
        assert_eq!(bound(sql).unwrap(), "SELECT * FROM f('it''s; DROP') WHERE a = 'it''s; DROP'");
        assert!(bound("SELECT $other").unwrap_err().to_string().contains("$other"));
    }
}
