//! From the four filter fields of the Parea API.

use parea_types::{FilterBase, FilterOperator, Timestamp, ValidationError};
use serde_json::{Map, Value};

use super::{AnnotationType, Comparison, Condition, Field, Filter, Kind, LogField, Operand, Test, number};

impl Filter {
    /// Reads the API's form. Without a field it holds for every log; a name that is no field of a log is that of a
    /// score. What makes no sense is told with the member that is to be mended.
    pub fn from_parea(form: &FilterBase) -> Result<Self, Vec<ValidationError>> {
        let Some(name) = form.filter_field.as_deref().filter(|name| !name.is_empty()) else {
            return match form.filter_operator {
                None => Ok(Self::And(Vec::new())),
                Some(operator) => Err(vec![fault(
                    "filter_operator",
                    format!("`{}` compares nothing: name a field in filter_field, or leave it out", operator.as_str()),
                )]),
            };
        };
        let field = field(name, form.filter_key.as_deref().filter(|key| !key.is_empty()));
        let operator = form.filter_operator.ok_or_else(|| {
            ValidationError::in_body(
                "filter_operator",
                "missing",
                format!("Field required: say how `{name}` is compared, for example with `equals`"),
            )
        });
        match (field, operator) {
            (Ok(field), Ok(operator)) => Asked { name, field: &field, operator, value: form.filter_value.as_deref() }
                .test()
                .map(|test| Self::Condition(Condition { field, test }))
                .map_err(|error| vec![error]),
            (field, operator) => Err(field.err().into_iter().chain(operator.err()).collect()),
        }
    }
}

fn fault(member: &str, msg: String) -> ValidationError {
    ValidationError::in_body(member, "value_error", msg)
}

fn wrong(msg: String) -> ValidationError {
    fault("filter_value", msg)
}

fn time(value: &str) -> Result<Operand, ValidationError> {
    let day = || format!("{}T00:00:00", value.trim()).parse::<Timestamp>().ok();
    let unclear = || wrong(format!("`{value}` is not a time; write it like 2024-05-30T13:48:34Z or 2024-05-30"));
    value.parse::<Timestamp>().ok().or_else(day).map(Operand::Time).ok_or_else(unclear)
}

fn field(name: &str, key: Option<&str>) -> Result<Field, ValidationError> {
    let unknown = |msg: String| Err(fault("filter_field", msg));
    let no_map = || fault("filter_key", format!("`{name}` is no map and has no keys; leave filter_key out"));
    let found = if let Some(score) = name.strip_prefix("score:") {
        if score.is_empty() {
            return unknown("`score:` names no score; write score:{name}, for example score:accuracy".to_owned());
        }
        Field::Score(score.to_owned())
    } else if let Some(annotation) = name.strip_prefix("annotation:") {
        let kind = match annotation.split_once(':') {
            Some(("continuous", id)) if !id.is_empty() => (AnnotationType::Continuous, id),
            Some(("categorical", id)) if !id.is_empty() => (AnnotationType::Categorical, id),
            _ => {
                return unknown(format!(
                    "`{name}` names no annotation; write annotation:continuous:{{id}} or annotation:categorical:{{id}}"
                ));
            }
        };
        Field::Annotation(kind.0, kind.1.to_owned())
    } else {
        match (LogField::named(name), key) {
            (Some(field), Some(key)) if field.kind() == Kind::Map => {
                return Ok(Field::Key(field, key.to_owned()));
            }
            (Some(field), Some(key)) if field.name() == "scores" => return Ok(Field::Score(key.to_owned())),
            (Some(_), Some(_)) => return Err(no_map()),
            (Some(field), None) => Field::Log(field),
            (None, _) => Field::Score(name.to_owned()),
        }
    };
    if key.is_some() { Err(no_map()) } else { Ok(found) }
}

/// A form whose field is understood.
struct Asked<'a> {
    name: &'a str,
    field: &'a Field,
    operator: FilterOperator,
    value: Option<&'a str>,
}

impl Asked<'_> {
    fn test(&self) -> Result<Test, ValidationError> {
        Ok(match self.operator {
            FilterOperator::IsNull => Test::IsNull,
            FilterOperator::Exists => Test::Exists,
            FilterOperator::Equals => Test::Equals(self.equal(self.value()?)?),
            FilterOperator::NotEquals => Test::NotEquals(self.equal(self.value()?)?),
            FilterOperator::In => {
                Test::In(self.several()?.iter().map(|value| self.equal(value)).collect::<Result<_, _>>()?)
            }
            FilterOperator::Like => {
                if let Kind::Number | Kind::Time | Kind::Bool = self.field.kind() {
                    return Err(self.unfit("equals, in, between or greater_than"));
                }
                Test::Like(self.value()?.to_owned())
            }
            FilterOperator::GreaterThan => self.compare(Comparison::Greater)?,
            FilterOperator::GreaterThanOrEqual => self.compare(Comparison::GreaterOrEqual)?,
            FilterOperator::LessThan => self.compare(Comparison::Less)?,
            FilterOperator::LessThanOrEqual => self.compare(Comparison::LessOrEqual)?,
            FilterOperator::Between => {
                self.ordered()?;
                let values = self.several()?;
                let [low, high] = values.as_slice() else {
                    return Err(wrong(format!(
                        "`between` needs two values, not {}; write low,high or a JSON array of both",
                        values.len()
                    )));
                };
                let (low, high) = (self.bound(low)?, self.bound(high)?);
                if let (Operand::Number(_), Operand::Time(_)) | (Operand::Time(_), Operand::Number(_)) = (&low, &high) {
                    return Err(wrong("`between` needs two numbers or two times, not one of each".to_owned()));
                }
                Test::Between(low, high)
            }
        })
    }

    fn value(&self) -> Result<&str, ValidationError> {
        self.value.ok_or_else(|| {
            let msg = format!("Field required: say with what `{}` is compared", self.name);
            ValidationError::in_body("filter_value", "missing", msg)
        })
    }

    /// The elements of a JSON array, else what stands between commas.
    fn several(&self) -> Result<Vec<String>, ValidationError> {
        let value = self.value()?;
        let Ok(Value::Array(elements)) = serde_json::from_str(value) else {
            return Ok(value.split(',').map(|part| part.trim().to_owned()).collect());
        };
        let texts = elements.into_iter().map(|element| match element {
            Value::String(text) => Ok(text),
            Value::Number(_) | Value::Bool(_) => Ok(element.to_string()),
            other => Err(wrong(format!("`{other}` cannot be compared; use texts, numbers, true or false"))),
        });
        texts.collect()
    }

    /// What is compared for equality.
    fn equal(&self, value: &str) -> Result<Operand, ValidationError> {
        match (self.field.kind(), self.field) {
            (Kind::Number, _) => self.number(value),
            (Kind::Time, _) => time(value),
            (Kind::Bool, _) => match value.trim().to_ascii_lowercase().as_str() {
                "true" => Ok(Operand::Bool(true)),
                "false" => Ok(Operand::Bool(false)),
                _ => Err(wrong(format!("`{}` is true or false, not `{value}`", self.name))),
            },
            // A map's JSON text, however it is spaced and ordered.
            (Kind::Map, _) => Ok(Operand::Text(
                serde_json::from_str::<Map<String, Value>>(value)
                    .map_or_else(|_| value.to_owned(), |map| Value::Object(map).to_string()),
            )),
            (Kind::Text | Kind::List, _) => Ok(Operand::Text(value.to_owned())),
        }
    }

    fn compare(&self, side: Comparison) -> Result<Test, ValidationError> {
        self.ordered()?;
        Ok(Test::Compare(side, self.bound(self.value()?)?))
    }

    /// Refuses what has no greater and less.
    fn ordered(&self) -> Result<(), ValidationError> {
        match self.field.kind() {
            Kind::Text | Kind::Number | Kind::Time => Ok(()),
            Kind::Bool | Kind::List => Err(self.unfit("equals, not_equals or in")),
            Kind::Map => Err(self.unfit("one of its keys in filter_key")),
        }
    }

    fn bound(&self, value: &str) -> Result<Operand, ValidationError> {
        match self.field.kind() {
            Kind::Number => self.number(value),
            Kind::Time => time(value),
            _ => self.number(value).or_else(|_| time(value)).map_err(|_| {
                wrong(format!("`{}` orders numbers and times, and `{value}` is neither", self.operator.as_str()))
            }),
        }
    }

    fn number(&self, value: &str) -> Result<Operand, ValidationError> {
        let fault = || {
            let guess = match self.field {
                Field::Score(name) if name == self.name => {
                    " (it is no field of a log, so it is read as a score's name)"
                }
                _ => "",
            };
            wrong(format!("`{}` is a number{guess}, and `{value}` is none; write it like 0.8", self.name))
        };
        number(value).map(Operand::Number).ok_or_else(fault)
    }

    /// The operator does not fit the field.
    fn unfit(&self, instead: &str) -> ValidationError {
        let what = match (self.field, self.field.kind()) {
            (Field::Score(name), _) if name == self.name => "no field of a log, so it is read as a score's name",
            (_, Kind::Number) => "a number",
            (_, Kind::Time) => "a time",
            (_, Kind::Bool) => "true or false",
            (_, Kind::List) => "a list",
            (_, Kind::Map) => "a map",
            (_, Kind::Text) => "a text",
        };
        let operator = self.operator.as_str();
        fault("filter_operator", format!("`{operator}` does not fit: `{}` is {what}; use {instead}", self.name))
    }
}
