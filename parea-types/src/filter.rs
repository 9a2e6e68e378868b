//! Which logs are wanted, and the page that answers.

use std::{fmt::Display, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Status, TraceLogTree, ValidationError, null};

/// A condition on logs (`FilterBaseSchema`). Without a field it holds for every log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "FilterBaseSchema"))]
pub struct FilterBase {
    /// A field of a log, `score:{name}`, or `annotation:{annotation_type}:{annotation_id}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter_field: Option<String>,
    /// The key to look at where the field is a map, such as `metadata`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter_key: Option<String>,
    /// How to compare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter_operator: Option<FilterOperator>,
    /// What to compare with: always text, also for numbers. Several values are a JSON array or separated by commas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter_value: Option<String>,
}

impl FilterBase {
    /// Begins a condition on a field of a log, such as `trace_name`, `status` or `latency`.
    ///
    /// ```
    /// use parea_types::FilterBase;
    /// let slow = FilterBase::field("latency").greater_than(2.5);
    /// assert_eq!(slow.filter_value.as_deref(), Some("2.5"));
    /// ```
    pub fn field(name: impl Into<String>) -> Condition {
        Condition { field: name.into(), key: None }
    }

    /// Begins a condition on a score.
    pub fn score(name: impl Display) -> Condition {
        Self::field(format!("score:{name}"))
    }

    /// Begins a condition on a key of the metadata.
    pub fn metadata(key: impl Into<String>) -> Condition {
        Self::field("metadata").key(key)
    }

    /// Begins a condition on an input.
    pub fn input(name: impl Into<String>) -> Condition {
        Self::field("inputs").key(name)
    }

    /// Begins a condition on the verdicts of people by one criterion; `annotation_type` is `continuous` or
    /// `categorical`.
    pub fn annotation(annotation_type: impl Display, criterion: i64) -> Condition {
        Self::field(format!("annotation:{annotation_type}:{criterion}"))
    }
}

/// A field, of which is still to be said how it is compared. See [`FilterBase::field`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "it is no filter before it is said how to compare"]
pub struct Condition {
    field: String,
    key: Option<String>,
}

impl Condition {
    /// Looks at this key of a field that is a map.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Text exactly, numbers by value; a list contains the value.
    pub fn equals(self, value: impl Display) -> FilterBase {
        self.compare(FilterOperator::Equals, value)
    }

    /// The opposite of [`equals`](Self::equals), true also where the field is absent.
    pub fn not_equals(self, value: impl Display) -> FilterBase {
        self.compare(FilterOperator::NotEquals, value)
    }

    /// Contains the text, whatever the case.
    pub fn like(self, text: impl Display) -> FilterBase {
        self.compare(FilterOperator::Like, text)
    }

    /// `>` on numbers and times.
    pub fn greater_than(self, value: impl Display) -> FilterBase {
        self.compare(FilterOperator::GreaterThan, value)
    }

    /// `>=` on numbers and times.
    pub fn greater_than_or_equal(self, value: impl Display) -> FilterBase {
        self.compare(FilterOperator::GreaterThanOrEqual, value)
    }

    /// `<` on numbers and times.
    pub fn less_than(self, value: impl Display) -> FilterBase {
        self.compare(FilterOperator::LessThan, value)
    }

    /// `<=` on numbers and times.
    pub fn less_than_or_equal(self, value: impl Display) -> FilterBase {
        self.compare(FilterOperator::LessThanOrEqual, value)
    }

    /// Absent, null or empty.
    pub fn is_null(self) -> FilterBase {
        self.filter(FilterOperator::IsNull, None)
    }

    /// Not [`is_null`](Self::is_null); with a key, the key is there.
    pub fn exists(self) -> FilterBase {
        self.filter(FilterOperator::Exists, None)
    }

    /// Equals any of these.
    pub fn one_of<V: Display>(self, values: impl IntoIterator<Item = V>) -> FilterBase {
        self.compare(FilterOperator::In, list(values))
    }

    /// From `low` to `high`, both included.
    pub fn between(self, low: impl Display, high: impl Display) -> FilterBase {
        self.compare(FilterOperator::Between, list([low.to_string(), high.to_string()]))
    }

    fn compare(self, operator: FilterOperator, value: impl Display) -> FilterBase {
        self.filter(operator, Some(value.to_string()))
    }

    fn filter(self, operator: FilterOperator, value: Option<String>) -> FilterBase {
        FilterBase {
            filter_field: Some(self.field),
            filter_key: self.key,
            filter_operator: Some(operator),
            filter_value: value,
        }
    }
}

/// Several values in one: a JSON array, so that commas in them part nothing.
fn list<V: Display>(values: impl IntoIterator<Item = V>) -> Value {
    values.into_iter().map(|value| Value::from(value.to_string())).collect()
}

/// How a field is compared with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FilterOperator {
    /// Text exactly, numbers by value; a list contains the value.
    Equals,
    /// The opposite of `equals`, true also where the field is absent.
    NotEquals,
    /// Contains the text, whatever the case.
    Like,
    /// `>=` on numbers and times.
    GreaterThanOrEqual,
    /// `<=` on numbers and times.
    LessThanOrEqual,
    /// `>` on numbers and times.
    GreaterThan,
    /// `<` on numbers and times.
    LessThan,
    /// Absent, null or empty.
    IsNull,
    /// Not `is_null`; with a key, the key is there.
    Exists,
    /// Equals any of several values.
    In,
    /// Between two values, both included.
    Between,
}

impl FilterOperator {
    /// The wire's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equals => "equals",
            Self::NotEquals => "not_equals",
            Self::Like => "like",
            Self::GreaterThanOrEqual => "greater_than_or_equal",
            Self::LessThanOrEqual => "less_than_or_equal",
            Self::GreaterThan => "greater_than",
            Self::LessThan => "less_than",
            Self::IsNull => "is_null",
            Self::Exists => "exists",
            Self::In => "in",
            Self::Between => "between",
        }
    }
}

/// How far back from now a log may have started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum TimeRange {
    /// Any time (`na`).
    #[default]
    #[serde(rename = "na")]
    All,
    /// One hour.
    #[serde(rename = "1h")]
    Hour,
    /// Three hours.
    #[serde(rename = "3h")]
    Hours3,
    /// Six hours.
    #[serde(rename = "6h")]
    Hours6,
    /// A day.
    #[serde(rename = "24h")]
    Day,
    /// A week.
    #[serde(rename = "7d")]
    Week,
    /// A month of 30 days.
    #[serde(rename = "1m")]
    Month,
    /// Three months of 30 days.
    #[serde(rename = "3m")]
    Months3,
    /// Six months of 30 days.
    #[serde(rename = "6m")]
    Months6,
    /// A year of 365 days.
    #[serde(rename = "1y")]
    Year,
}

impl TimeRange {
    /// The wire's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "na",
            Self::Hour => "1h",
            Self::Hours3 => "3h",
            Self::Hours6 => "6h",
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "1m",
            Self::Months3 => "3m",
            Self::Months6 => "6m",
            Self::Year => "1y",
        }
    }

    /// Its length; `None` for any time.
    pub fn duration(self) -> Option<Duration> {
        let hours = match self {
            Self::All => return None,
            Self::Hour => 1,
            Self::Hours3 => 3,
            Self::Hours6 => 6,
            Self::Day => 24,
            Self::Week => 7 * 24,
            Self::Month => 30 * 24,
            Self::Months3 => 90 * 24,
            Self::Months6 => 180 * 24,
            Self::Year => 365 * 24,
        };
        Some(Duration::from_secs(hours * 3600))
    }
}

/// The body of `POST /get_trace_logs` (`QueryParamsPaginationPublic`): a filter and the page that is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "QueryParamsPaginationPublic"))]
pub struct QueryParamsPagination {
    /// The project whose logs are listed.
    pub project_name: String,
    /// Number of the page, from 1.
    #[serde(default = "first_page", deserialize_with = "page_or_first")]
    pub page: i64,
    /// Logs on a page, 1 to [`MAX_PAGE_SIZE`](Self::MAX_PAGE_SIZE); 20 when absent.
    #[serde(default = "default_page_size", deserialize_with = "page_size_or_default")]
    pub page_size: i64,
    /// See [`FilterBase::filter_field`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter_field: Option<String>,
    /// See [`FilterBase::filter_key`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter_key: Option<String>,
    /// See [`FilterBase::filter_operator`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter_operator: Option<FilterOperator>,
    /// See [`FilterBase::filter_value`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter_value: Option<String>,
    /// How far back, measured on `start_timestamp`.
    #[serde(default, deserialize_with = "null::as_default", skip_serializing_if = "null::is_default")]
    pub time_range: TimeRange,
    /// Only logs of this status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

fn first_page() -> i64 {
    1
}

fn default_page_size() -> i64 {
    QueryParamsPagination::DEFAULT_PAGE_SIZE
}

fn page_or_first<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    Ok(null::optional_integer(deserializer)?.unwrap_or_else(first_page))
}

fn page_size_or_default<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    Ok(null::optional_integer(deserializer)?.unwrap_or_else(default_page_size))
}

impl QueryParamsPagination {
    /// Logs on a page when the request does not say.
    pub const DEFAULT_PAGE_SIZE: i64 = 20;
    /// Most logs on a page.
    pub const MAX_PAGE_SIZE: i64 = 100_000;

    /// The first page of all logs of a project.
    pub fn new(project_name: impl Into<String>) -> Self {
        Self {
            project_name: project_name.into(),
            page: first_page(),
            page_size: Self::DEFAULT_PAGE_SIZE,
            filter_field: None,
            filter_key: None,
            filter_operator: None,
            filter_value: None,
            time_range: TimeRange::All,
            status: None,
        }
    }

    /// The same page of logs that match.
    #[must_use]
    pub fn matching(mut self, filter: FilterBase) -> Self {
        let FilterBase { filter_field, filter_key, filter_operator, filter_value } = filter;
        (self.filter_field, self.filter_key) = (filter_field, filter_key);
        (self.filter_operator, self.filter_value) = (filter_operator, filter_value);
        self
    }

    /// The same query for another page; the first is 1.
    #[must_use]
    pub fn page(mut self, page: i64) -> Self {
        self.page = page;
        self
    }

    /// The same query with so many logs on a page, 1 to [`MAX_PAGE_SIZE`](Self::MAX_PAGE_SIZE).
    #[must_use]
    pub fn page_size(mut self, page_size: i64) -> Self {
        self.page_size = page_size;
        self
    }

    /// The same query for logs that started so far back at most.
    #[must_use]
    pub fn since(mut self, time_range: TimeRange) -> Self {
        self.time_range = time_range;
        self
    }

    /// The same query for logs of this status.
    #[must_use]
    pub fn status(mut self, status: Status) -> Self {
        self.status = Some(status);
        self
    }

    /// The filter alone.
    pub fn filter(&self) -> FilterBase {
        FilterBase {
            filter_field: self.filter_field.clone(),
            filter_key: self.filter_key.clone(),
            filter_operator: self.filter_operator,
            filter_value: self.filter_value.clone(),
        }
    }

    /// What is wrong with the numbers; empty when the page exists or may exist.
    pub fn validate(&self) -> Vec<ValidationError> {
        let mut errors = Vec::new();
        if self.page < 1 {
            errors.push(ValidationError::in_body("page", "greater_than", "Input should be greater than 0"));
        }
        if self.page_size < 1 {
            errors.push(ValidationError::in_body("page_size", "greater_than", "Input should be greater than 0"));
        } else if self.page_size > Self::MAX_PAGE_SIZE {
            let msg = format!("Input should be less than or equal to {}", Self::MAX_PAGE_SIZE);
            errors.push(ValidationError::in_body("page_size", "less_than_equal", msg));
        }
        errors
    }
}

/// One page of logs. A page past the end has no results and is no error.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PaginatedTraceLogs {
    /// Logs on all pages together.
    pub total: i64,
    /// Number of this page, from 1.
    pub page: i64,
    /// Number of pages.
    pub total_pages: i64,
    /// Most logs on a page.
    pub page_size: i64,
    /// The logs, roots with their descendants.
    pub results: Vec<TraceLogTree>,
}

impl PaginatedTraceLogs {
    /// The page that answers a valid query, with the number of pages worked out.
    pub fn new(query: &QueryParamsPagination, total: u64, results: Vec<TraceLogTree>) -> Self {
        let total = i64::try_from(total).unwrap_or(i64::MAX);
        let page_size = query.page_size.max(1);
        let total_pages = total / page_size + i64::from(total % page_size != 0);
        Self { total, page: query.page, total_pages, page_size, results }
    }
}
