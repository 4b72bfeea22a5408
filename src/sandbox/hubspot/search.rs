//! Search: which records the index says match, shown as they now are.
//!
//! The index lags by the configured delay: membership, `total` and order follow the state of that long ago; the values
//! and the existence of the hits are current. A record archived since then is counted and not shown.

use std::cmp::Ordering;

use serde_json::{Map, Value, json};

use super::object_type::ObjectType;
use super::refusal::Refusal;
use super::search_filter::{Filter, Key, Moment, key_of};
use super::show::Wanted;
use super::table::Table;
use super::{Call, HubSpotWorld, body_of};
use crate::sandbox::http::{Request, Response};

impl HubSpotWorld {
    pub(super) fn search(&self, object: ObjectType, request: &Request, call: Call) -> Result<Response, Refusal> {
        if request.body.len() > BODY_BYTES_MAX {
            return Err(Refusal::validation(format!(
                "The request body is over the limit of {BODY_BYTES_MAX} characters"
            )));
        }
        let body = body_of(request)?;
        let table = self.table(object);
        let groups = filter_groups(&body, table)?;
        let order = Order::of(&body, table)?;
        let (limit, after) = page(&body)?;
        let query = body.get("query").and_then(Value::as_str).unwrap_or_default().trim().to_lowercase();
        let moment = match self.faults.search_delay_ms {
            0 => Moment::NOW,
            delay => Moment(call.now_ms.saturating_sub_unsigned(delay)),
        };

        let mut hits: Vec<(Option<Key>, u64)> = Vec::new();
        for record in table.from(0).filter(|record| moment.knows(record)) {
            let matches = groups.is_empty()
                || groups.iter().any(|group| group.iter().all(|filter| filter.accepts(table, record, moment)));
            let texts =
                || object.searchable().iter().filter_map(|name| record.value_at(table.schema.index(name)?, moment.0));
            if matches && (query.is_empty() || texts().any(|text| text.to_lowercase().contains(&query))) {
                hits.push((order.property.and_then(|index| key_of(table, record, index, moment)), record.id));
            }
        }
        hits.sort_by(|left, right| order.compare(left, right));

        let names = body.get("properties").and_then(Value::as_array).into_iter().flatten();
        let properties = names.filter_map(Value::as_str).map(str::to_owned).collect();
        let wanted = Wanted { properties, history: Vec::new() };
        let shower = self.shower();
        let results: Vec<_> = hits
            .iter()
            .skip(after)
            .take(limit)
            .filter_map(|(_, id)| table.get(*id, false, call.now_ms))
            .map(|record| shower.record(table, record, &wanted))
            .collect();
        let mut answer = json!({"total": hits.len(), "results": results});
        if after + limit < hits.len() {
            answer["paging"] = json!({"next": {"after": (after + limit).to_string()}});
        }
        Ok(Response::json(200, &answer))
    }
}

/// The order of the hits: by one property, oldest first when none is named, and by id where that is equal.
struct Order {
    property: Option<u16>,
    descending: bool,
}

impl Order {
    fn of(body: &Map<String, Value>, table: &Table) -> Result<Self, Refusal> {
        let sorts = body.get("sorts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let (name, descending) = match sorts {
            [] => ("createdate", false),
            [Value::String(text)] => match text.strip_prefix('-') {
                Some(name) => (name, true),
                None => (text.as_str(), false),
            },
            [Value::Object(sort)] => {
                let text = |key: &str| sort.get(key).and_then(Value::as_str).unwrap_or_default();
                (text("propertyName"), text("direction") == "DESCENDING")
            }
            [_] => return Err(Refusal::validation("a sort is a property name or an object")),
            _ => return Err(Refusal::validation("only one sort is supported")),
        };
        match table.schema.index(name) {
            Some(index) => Ok(Self { property: Some(index), descending }),
            None => Err(Refusal::validation(format!("There is no property {name} to sort by"))),
        }
    }

    fn compare(&self, left: &(Option<Key>, u64), right: &(Option<Key>, u64)) -> Ordering {
        let by_value = left.0.cmp(&right.0);
        let by_value = if self.descending { by_value.reverse() } else { by_value };
        by_value.then(left.1.cmp(&right.1))
    }
}

/// The filters, grouped: a record matches when it passes all filters of any group.
fn filter_groups(body: &Map<String, Value>, table: &Table) -> Result<Vec<Vec<Filter>>, Refusal> {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let mut groups: Vec<Vec<Value>> =
        list(body.get("filterGroups")).iter().map(|group| list(group.get("filters"))).collect();
    if body.contains_key("filters") {
        groups.push(list(body.get("filters")));
    }
    let total: usize = groups.iter().map(Vec::len).sum();
    if groups.len() > GROUPS_MAX
        || total > FILTERS_MAX
        || groups.iter().any(|group| group.len() > FILTERS_PER_GROUP_MAX)
    {
        return Err(Refusal::validation(format!(
            "At most {GROUPS_MAX} filter groups, {FILTERS_PER_GROUP_MAX} filters in one and {FILTERS_MAX} in all are supported"
        )));
    }
    groups.iter().map(|group| group.iter().map(|filter| Filter::of(filter, table)).collect()).collect()
}

fn page(body: &Map<String, Value>) -> Result<(usize, usize), Refusal> {
    let number = |key: &str, default: usize| match body.get(key) {
        None | Some(Value::Null) => Ok(default),
        Some(Value::Number(number)) => number.as_u64().map(|number| number as usize).ok_or(()),
        Some(Value::String(text)) if text.is_empty() => Ok(default),
        Some(Value::String(text)) => text.parse().map_err(|_| ()),
        Some(_) => Err(()),
    };
    let refuse = |message: &str| Refusal::validation(message.to_owned());
    let limit = number("limit", 10).map_err(|()| refuse("limit must be a number"))?;
    let after = number("after", 0).map_err(|()| refuse("after must be a number"))?;
    if limit > LIMIT_MAX {
        return Err(Refusal::validation(format!("limit must be at most {LIMIT_MAX}, was {limit}")));
    }
    if after.saturating_add(limit) > REACH_MAX {
        return Err(Refusal::validation(format!("Paging past {REACH_MAX} results is not possible")));
    }
    Ok((limit, after))
}

const BODY_BYTES_MAX: usize = 3000;
const LIMIT_MAX: usize = 200;
const REACH_MAX: usize = 10_000;
const GROUPS_MAX: usize = 5;
const FILTERS_PER_GROUP_MAX: usize = 6;
const FILTERS_MAX: usize = 18;
