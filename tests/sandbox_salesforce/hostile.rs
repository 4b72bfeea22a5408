//! Whatever comes, an answer goes back.

use proptest::prelude::*;
use serde_json::Value as Json;
use syncline::sandbox::http::Request;

use crate::{Org, request};

/// Requests a confused or hostile client might send.
fn any_request() -> impl Strategy<Value = Request> {
    let pieces = [
        "services",
        "data",
        "v61.0",
        "sobjects",
        "Contact",
        "Account",
        "User",
        "Id",
        "Email",
        "Syncline_Id__c",
        "composite",
        "query",
        "queryAll",
        "describe",
        "updated",
        "deleted",
        "limits",
        "oauth2",
        "token",
        "userinfo",
        "003000000000001",
        "005000000000001AAA",
        "%2F",
        "%",
        "01g-1",
    ];
    let bodies = [
        "",
        "{",
        "[]",
        "null",
        r#"{"records":[{}]}"#,
        r#"{"records":[1]}"#,
        r#"{"LastName":{"a":[]},"Email":7,"Id":null}"#,
        r#"{"records":[{"attributes":{"type":"Contact"},"LastName":"x","id":"é"}],"allOrNone":true}"#,
        r#"{"compositeRequest":[{"method":"GET","url":"/services/data/v61.0/query?q=@{a[0}","referenceId":"a"}]}"#,
        r#"{"LastName":"x","AccountId":"005000000000001AAA","Account":{"Name":[]},"Owner":{}}"#,
        "grant_type=%zz&client_id",
    ];
    let path = prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..5);
    let text = |choices: &[&'static str]| prop::sample::select(choices.to_vec());
    let parts = (
        text(&["GET", "POST", "PATCH", "DELETE", "PUT"]),
        text(&[
            "",
            "/services/data/v61.0",
            "/services/data/v61.0/sobjects",
            "/services/data/v61.0/composite",
            "/services",
        ]),
        path,
        prop_oneof![Just(String::new()), "(q|ids|fields|start|end)=\\PC{0,20}", "q=SELECT\\PC{0,20}"],
        prop_oneof![text(&bodies).prop_map(str::to_owned), "\\PC{0,40}"],
    );
    parts.prop_map(|(method, start, path, query, body)| {
        let path = path.iter().fold(start.to_owned(), |path, piece| format!("{path}/{piece}"));
        let mut request = request("salesforce", method, "/services", &Json::Null);
        (request.path, request.query, request.body) = (path, query, body.into_bytes());
        request
    })
}

proptest! {
    #[test]
    fn no_request_panics(requests in prop::collection::vec(any_request(), 1..20)) {
        let mut org = Org::new();
        for request in &requests {
            let response = org.send(request);
            prop_assert!((200..500).contains(&response.status), "{request:?} {response:?}");
        }
    }
}
