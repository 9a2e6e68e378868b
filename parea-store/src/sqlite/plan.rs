//! A filter as SQL over `log`: indexes where there are some, else a look at the document. Values are always bound.

use rusqlite::{Connection, params_from_iter, types::Value};

use super::{
    directory::{kind, linked},
    functions::VALUE,
    key::key_value,
    terms::{Column, WORDS, WORDS_OF_ALL, Word},
};
use crate::{
    query::{Comparison, Condition, Field, Filter, Operand, Test, number},
    row::json,
};

/// The children that name a log as their parent, as a JSON array.
fn links() -> String {
    format!(
        "(SELECT json_group_array(id_of(child.trace_id)) FROM log child WHERE child.id IN ({})
            AND +child.project = log.project AND +child.parent = log.trace_id AND child.parent <> child.trace_id)",
        linked("log.trace_id", kind::CHILDREN)
    )
}

/// A piece of SQL and what is bound to its parameters.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sql {
    pub(super) text: String,
    pub(super) values: Vec<Value>,
}

impl Sql {
    pub(super) fn new(text: impl Into<String>, values: impl Into<Vec<Value>>) -> Self {
        Self { text: text.into(), values: values.into() }
    }

    pub(super) fn join(parts: Vec<Self>, word: &str, none: &str) -> Self {
        let texts: Vec<&str> = parts.iter().map(|part| part.text.as_str()).collect();
        let text = if texts.is_empty() { none.to_owned() } else { format!("({})", texts.join(word)) };
        Self { text, values: parts.into_iter().flat_map(|part| part.values).collect() }
    }

    /// True where this is not: false or, for want of a value, unknown.
    fn not(self) -> Self {
        Self { text: format!("({}) IS NOT TRUE", self.text), values: self.values }
    }
}

/// How an index finds all logs for which a condition holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Access {
    /// `SELECT … AS log FROM …`, in any order and perhaps repeated.
    pub(super) found: Sql,
    /// The same in the order of time.
    pub(super) run: Option<Run>,
}

/// Rows of a table that an index has from the oldest to the newest.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Run {
    pub(super) table: &'static str,
    pub(super) condition: Sql,
    /// Whether a log may come more than once.
    pub(super) repeats: bool,
    /// The same rows in a shorter way, in any order; only where no log repeats.
    pub(super) unordered: Option<Sql>,
}

/// A filter as SQL.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Plan {
    /// What must hold, each by itself.
    pub(super) conditions: Vec<Sql>,
    /// For some of the conditions, the index that finds all for which they hold.
    pub(super) accesses: Vec<Access>,
}

/// Plans filters for the logs of one project, or of all.
pub(super) struct Planner<'a> {
    pub(super) conn: &'a Connection,
    /// Row id of the project.
    pub(super) project: Option<i64>,
}

impl Planner<'_> {
    pub(super) fn plan(&self, filter: &Filter) -> rusqlite::Result<Plan> {
        let mut plan = Plan::default();
        let mut waiting = vec![filter];
        while let Some(filter) = waiting.pop() {
            match filter {
                Filter::And(all) => waiting.extend(all),
                Filter::Condition(condition) => {
                    let (sql, access) = self.condition(condition)?;
                    plan.conditions.push(sql);
                    plan.accesses.extend(access);
                }
                other => plan.conditions.push(self.tree(other)?),
            }
        }
        Ok(plan)
    }

    fn tree(&self, filter: &Filter) -> rusqlite::Result<Sql> {
        let all = |filters: &[Filter]| filters.iter().map(|filter| self.tree(filter)).collect::<Result<Vec<_>, _>>();
        Ok(match filter {
            Filter::And(filters) => Sql::join(all(filters)?, " AND ", "1"),
            Filter::Or(filters) => Sql::join(all(filters)?, " OR ", "0"),
            Filter::Not(filter) => self.tree(filter)?.not(),
            Filter::Condition(condition) => self.condition(condition)?.0,
        })
    }

    fn condition(&self, condition: &Condition) -> rusqlite::Result<(Sql, Option<Access>)> {
        if let Test::NotEquals(operand) = &condition.test {
            let opposite = Condition { field: condition.field.clone(), test: Test::Equals(operand.clone()) };
            return Ok((self.condition(&opposite)?.0.not(), None));
        }
        if let Some(words) = words(condition) {
            let ids = self.ids(&words)?;
            let run = Run {
                table: "term",
                condition: Sql::new(format!("term.word {}", among(ids.len())), ids),
                repeats: false,
                unordered: None,
            };
            let found = format!("SELECT term.log FROM term WHERE {}", run.condition.text);
            return Ok(run.looked_up(found));
        }
        if let (Field::Score(name), Some(bound)) = (&condition.field, bound("score.score", &condition.test)) {
            let word = Word::text(Column::Scores, name, "");
            if word.is_short() {
                let ids = self.ids(std::slice::from_ref(&word))?;
                let repeats = self.repeats(&word)?;
                let word = format!("score.word {}", among(ids.len()));
                let values: Vec<Value> = ids.into_iter().chain(bound.values).collect();
                let found =
                    format!("SELECT score.log FROM score INDEXED BY score_by_value WHERE {word} AND {}", bound.text);
                // The sign keeps SQLite from going by value where the order of time is wanted.
                let condition =
                    Sql::new(format!("{word} AND {}", bound.text.replace("score.score", "+score.score")), values);
                let unordered = (!repeats).then(|| Sql::new(found.clone(), condition.values.clone()));
                return Ok(Run { table: "score", condition, repeats, unordered }.looked_up(found));
            }
        }
        Ok(column(condition).unwrap_or_else(|| (read(condition), None)))
    }

    /// Whether some log had two scores of that name.
    fn repeats(&self, word: &Word) -> rusqlite::Result<bool> {
        self.conn
            .prepare_cached(
                "SELECT max(repeats) FROM word WHERE field = ?1 AND key = ?2 AND value = ?3 AND (?4 IS NULL OR project = ?4)",
            )?
            .query_row(rusqlite::params![word.column as i64, word.key, word.value, self.project], |row| {
                Ok(row.get::<_, Option<bool>>(0)?.unwrap_or_default())
            })
    }

    /// Ids of words, in each project that has them.
    fn ids(&self, words: &[Word]) -> rusqlite::Result<Vec<Value>> {
        let mut ids = Vec::new();
        for word in words {
            let column = word.column as i64;
            let read = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0).map(Value::Integer);
            let sql = if self.project.is_some() { WORDS } else { WORDS_OF_ALL };
            let mut values = vec![Value::Integer(column), Value::Text(word.key.clone()), word.value.clone()];
            values.extend(self.project.map(Value::Integer));
            let mut find = self.conn.prepare_cached(sql)?;
            for id in find.query_map(params_from_iter(values), read)? {
                ids.push(id?);
            }
        }
        Ok(ids)
    }
}

/// A condition that a column of `log` answers.
fn column(condition: &Condition) -> Option<(Sql, Option<Access>)> {
    let Field::Log(field) = condition.field else { return None };
    let text = |operand: &Operand| if let Operand::Text(text) = operand { Some(text.clone()) } else { None };
    let (column, test) = (field.name(), &condition.test);
    match (column, test) {
        ("cost" | "execution_order", test) => bound(&format!("log.{column}"), test).map(|sql| (sql, None)),
        ("start_timestamp", test) => bound("log.started", test).map(|sql| (sql, None)),
        ("parent_trace_id", Test::Equals(operand)) => {
            let parent = key_value(&text(operand)?);
            // A root is its own parent.
            let found = found("own.parent", kind::OWN | kind::CHILDREN, &parent);
            Some((Sql::new("log.parent = ?", [parent]), Some(Access { found, run: None })))
        }
        ("trace_id", Test::Equals(operand)) => {
            let id = key_value(&text(operand)?);
            let found = found("own.trace_id", kind::OWN, &id);
            Some((Sql::new("log.trace_id = ?", [id]), Some(Access { found, run: None })))
        }
        ("root_trace_id", Test::Equals(operand)) => {
            let root = key_value(&text(operand)?);
            let found = found("own.root", kind::MEMBERS, &root);
            Some((Sql::new("log.root = ?", [root]), Some(Access { found, run: None })))
        }
        ("status", Test::Equals(operand)) => Some(match text(operand)?.as_str() {
            "success" => (Sql::new("log.status = 1", []), None),
            // Literally, so that SQLite sees that the index of failures serves.
            "error" => (Sql::new("log.status = 2", []), None),
            _ => (Sql::new("0", []), None),
        }),
        _ => None,
    }
}

/// The logs that have the id in a column, where they are of one of these kinds to it.
fn found(column: &str, kinds: u8, id: &Value) -> Sql {
    let text = format!("SELECT own.id AS log FROM log own WHERE own.id IN ({}) AND {column} = ?", linked("?", kinds));
    // It is asked for twice, and compared.
    Sql::new(text, [id.clone(), id.clone(), id.clone()])
}

impl Run {
    fn looked_up(self, found: String) -> (Sql, Option<Access>) {
        let Sql { text, values } = &self.condition;
        let table = self.table;
        let condition = Sql::new(
            format!(
                "EXISTS (SELECT 1 FROM {table} WHERE {text} AND {table}.started = log.started AND {table}.log = log.id)"
            ),
            values.clone(),
        );
        let found = Sql::new(found, values.clone());
        // Only the rows of one word are in order.
        let run = text.contains("word = ?").then_some(self);
        (condition, Some(Access { found, run }))
    }
}

/// `= ?`, or the like for another number of values.
fn among(count: usize) -> String {
    if count == 1 { "= ?".to_owned() } else { format!("IN ({})", vec!["?"; count].join(", ")) }
}

/// The words of which a log has one when the condition holds, and only then; `None` where words do not tell.
fn words(condition: &Condition) -> Option<Vec<Word>> {
    let (column, key) = match &condition.field {
        Field::Log(field) if field.name() != "metadata" => (Column::of(field.name())?, ""),
        Field::Key(field, key) => (Column::of(field.name())?, key.as_str()),
        _ => return None,
    };
    let operands = match &condition.test {
        Test::Equals(operand) => std::slice::from_ref(operand),
        Test::In(operands) => operands.as_slice(),
        _ => return None,
    };
    let mut words = Vec::new();
    for operand in operands {
        let Operand::Text(text) = operand else { return None };
        words.push(Word::text(column, key, text));
        if let (Column::Metadata, Some(number)) = (column, number(text)) {
            words.push(Word { column, key: key.to_owned(), value: Value::Real(number) });
        }
    }
    words.iter().all(Word::is_short).then_some(words)
}

/// A test of numbers or times in SQL.
fn bound(column: &str, test: &Test) -> Option<Sql> {
    let value = |operand: &Operand| match operand {
        Operand::Number(number) => Some(Value::Real(*number)),
        Operand::Time(time) => Some(Value::Integer(time.micros())),
        _ => None,
    };
    Some(match test {
        Test::Equals(operand) => Sql::new(format!("{column} = ?"), [value(operand)?]),
        Test::In(operands) => {
            let values: Vec<Value> = operands.iter().map(value).collect::<Option<_>>()?;
            Sql::new(format!("{column} {}", among(values.len())), values)
        }
        Test::Compare(side, operand) => {
            let sign = match side {
                Comparison::Greater => ">",
                Comparison::GreaterOrEqual => ">=",
                Comparison::Less => "<",
                Comparison::LessOrEqual => "<=",
            };
            Sql::new(format!("{column} {sign} ?"), [value(operand)?])
        }
        Test::Between(low, high) => Sql::new(format!("{column} BETWEEN ? AND ?"), [value(low)?, value(high)?]),
        Test::Exists => Sql::new(format!("{column} IS NOT NULL"), []),
        Test::NotEquals(_) | Test::Like(_) | Test::IsNull => return None,
    })
}

/// A condition that is asked of the log as it is read back.
fn read(condition: &Condition) -> Sql {
    let text = match condition.field.holder() {
        "trace_id" => "text_holds(?, log.trace_id)".to_owned(),
        "root_trace_id" => "text_holds(?, log.root)".to_owned(),
        "parent_trace_id" => "text_holds(?, log.parent)".to_owned(),
        "project_name" => "text_holds(?, (SELECT name FROM project WHERE project.id = log.project))".to_owned(),
        "project_uuid" => "text_holds(?, (SELECT uuid FROM project WHERE project.id = log.project))".to_owned(),
        "children" | "children_ids" => {
            format!("holds(?, {VALUE}, {})", links())
        }
        _ => format!("holds(?, {VALUE})"),
    };
    Sql::new(text, [Value::Text(json(condition))])
}
