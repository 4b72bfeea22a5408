//! How many calls an account has, as its answers say.

use super::Rate;
use super::transport::Answer;

/// The account's calls a day: HubSpot says it as a number (`X-HubSpot-RateLimit-Daily`, on calls with a key; not under OAuth),
/// Salesforce as used and allowed (`Sforce-Limit-Info: api-usage=18/100000`). None where an answer says nothing of it.
pub(crate) fn daily_limit(answer: &Answer) -> Option<u64> {
    if let Some(limit) = answer.header("x-hubspot-ratelimit-daily") {
        return limit.trim().parse().ok();
    }
    let info = answer.header("sforce-limit-info")?;
    let usage = info.split([';', ',']).find_map(|part| part.trim().strip_prefix("api-usage="))?;
    usage.split_once('/')?.1.trim().parse().ok()
}

/// How fast calls may follow each other: HubSpot says how many in how many milliseconds; Salesforce has no such limit.
pub(crate) fn rate(answer: &Answer) -> Option<Rate> {
    let number = |name: &str| answer.header(name)?.trim().parse::<u64>().ok().filter(|number| *number > 0);
    let (calls, per_ms) = (number("x-hubspot-ratelimit-max")?, number("x-hubspot-ratelimit-interval-milliseconds")?);
    Some(Rate { calls, per_ms })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Millis;

    #[test]
    fn both_forms_are_read_and_others_say_nothing() {
        let answer = |name: &str, value: &str| {
            let headers = vec![(name.to_owned(), value.to_owned())];
            Answer { status: 200, headers, body: Vec::new(), sent: Millis(0), received: Millis(0) }
        };
        assert_eq!(daily_limit(&answer("x-hubspot-ratelimit-daily", "250000")), Some(250_000));
        assert_eq!(daily_limit(&answer("sforce-limit-info", "api-usage=10018/100000")), Some(100_000));
        let more = "api-bursts=1/750; api-usage=1/15000; per-app-api-usage=17/250(appName=sample)";
        assert_eq!(daily_limit(&answer("sforce-limit-info", more)), Some(15_000));
        for bad in ["", "api-usage=", "api-usage=1", "api-usage=1/many", "per-app-api-usage=1/2"] {
            assert_eq!(daily_limit(&answer("sforce-limit-info", bad)), None, "{bad}");
        }
        assert_eq!(daily_limit(&answer("date", "250000")), None);
    }

    #[test]
    fn a_rate_wants_both_its_numbers() {
        let answer = |max: &str, interval: &str| {
            let header = |name: &str, value: &str| (format!("x-hubspot-ratelimit-{name}"), value.to_owned());
            let headers = vec![header("max", max), header("interval-milliseconds", interval)];
            Answer { status: 200, headers, body: Vec::new(), sent: Millis(0), received: Millis(0) }
        };
        assert_eq!(rate(&answer("190", "10000")), Some(Rate { calls: 190, per_ms: 10_000 }));
        for (max, interval) in [("", "10000"), ("0", "10000"), ("190", "0"), ("190", "soon")] {
            assert_eq!(rate(&answer(max, interval)), None);
        }
    }
}
