//! What every connector promises, put to HubSpot's and Salesforce's over sockets: against emulators that share nothing with
//! them, first on their best behaviour, then with faults.
#![cfg(all(feature = "sandbox", feature = "hubspot", feature = "salesforce"))]

use reqwest::Client;
use serde_json::{Value, json};
use syncline::connector::auth::Credential;
use syncline::connector::conformance::{Case, check};
use syncline::connector::hubspot::{HubSpot, HubSpotConfig};
use syncline::connector::salesforce::{Salesforce, SalesforceConfig};
use syncline::connector::{BoxFuture, Connector, Keys, Outcome, ReadSpec, Target, WriteItem};
use syncline::model::{Mark, OpId, PageEnd, Raw, RemoteId};
use syncline::sandbox::listener::{Running, SandboxConfig, serve};
use syncline::sandbox::seed::SeedPlan;

fn with_sandbox(test: impl AsyncFnOnce(&Running)) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let data = Some(SeedPlan { records: 600, ..SeedPlan::default() });
        let running = serve(SandboxConfig { data, ..SandboxConfig::default() }).await.expect("a sandbox");
        test(&running).await;
        running.stop().await;
    });
}

fn ready(running: &Running, system: &str, key: &str) -> String {
    running.ready[system][key].as_str().unwrap_or_else(|| panic!("no {key}")).to_owned()
}

fn hubspot(running: &Running) -> HubSpot {
    let (url, token) = (ready(running, "hubspot", "url"), ready(running, "hubspot", "token"));
    let config = HubSpotConfig::new("hubspot", url, token.into());
    HubSpot::new(HubSpotConfig { app_id: Some(ready(running, "hubspot", "app_id")), ..config }).expect("a connector")
}

fn salesforce(running: &Running) -> Salesforce {
    let (url, token) = (ready(running, "salesforce", "url"), ready(running, "salesforce", "token"));
    Salesforce::new(SalesforceConfig::new("salesforce", url, token.into())).expect("a connector")
}

async fn person_deletes(running: &Running, system: &str, path: String) {
    let url = format!("{}{path}", ready(running, system, "url"));
    let request = Client::new().delete(url).bearer_auth(ready(running, system, "user_token"));
    let status = request.send().await.expect("an answer").status();
    assert!(status.is_success(), "{status}");
}

async fn faults(running: &Running, system: &str, spec: Value) {
    let url = format!("{}/_sandbox/faults", ready(running, system, "url"));
    let answer = Client::new().post(url).body(spec.to_string()).send().await.expect("an answer");
    assert!(answer.status().is_success());
}

fn text(name: &str, text: &str) -> (String, Raw) {
    (name.to_owned(), Raw::Text(text.into()))
}

#[test]
fn hubspot_keeps_all_promises() {
    with_sandbox(async |running| {
        let connector = hubspot(running);
        for (object, texts, required) in [
            ("contacts", ["firstname", "lastname"], vec![]),
            ("companies", ["phone", "name"], vec![]),
            ("deals", ["description", "dealname"], vec![text("dealstage", "closedwon"), text("pipeline", "default")]),
        ] {
            let delete = |id: RemoteId| -> BoxFuture<'_, ()> {
                Box::pin(person_deletes(running, "hubspot", format!("/crm/objects/2026-03/{object}/{id}")))
            };
            let (external_id, delete) = ("syncline_id", Some(&delete as _));
            let case = Case { object, texts, external_id, required, run: "a", delete };
            assert_eq!(check(&connector, &case).await, Ok(()), "{object}");
        }
    });
}

#[test]
fn salesforce_keeps_all_promises() {
    with_sandbox(async |running| {
        let connector = salesforce(running);
        for (object, texts, required) in [
            ("Contact", ["FirstName", "LastName"], vec![]),
            ("Account", ["Phone", "Name"], vec![]),
            (
                "Opportunity",
                ["NextStep", "Name"],
                vec![text("StageName", "Prospecting"), text("CloseDate", "2027-01-31")],
            ),
        ] {
            let delete = |id: RemoteId| -> BoxFuture<'_, ()> {
                Box::pin(person_deletes(running, "salesforce", format!("/services/data/v61.0/sobjects/{object}/{id}")))
            };
            let (external_id, delete) = ("Syncline_Id__c", Some(&delete as _));
            let case = Case { object, texts, external_id, required, run: "a", delete };
            assert_eq!(check(&connector, &case).await, Ok(()), "{object}");
        }
    });
}

/// A server whose answers get lost, refused and cut: no outcome may ever say more than what happened.
#[test]
fn under_faults_done_means_done() {
    with_sandbox(async |running| {
        let spec = json!({"error": 0.1, "lost_answer": 0.1, "partial": 0.1, "error_429": 0.05, "locked": 0.05});
        let (hubspot, salesforce) = (patient(running), salesforce(running));
        let systems = [
            ("hubspot", &hubspot as &dyn Connector, ["contacts", "lastname", "syncline_id"]),
            ("salesforce", &salesforce, ["Contact", "LastName", "Syncline_Id__c"]),
        ];
        for (system, connector, [object, name, external_id]) in systems {
            let key = |n: u64| format!("fault-{n}");
            let item = |n: u64| WriteItem {
                op: OpId(n),
                target: Target::Create { property: external_id.to_owned(), value: key(n) },
                fields: vec![text(name, &format!("Name {n}"))],
            };
            faults(running, system, spec.clone()).await;
            let mut outcomes = Vec::new();
            for first in (0..200).step_by(10) {
                let items: Vec<WriteItem> = (first..first + 10).map(item).collect();
                outcomes.extend(connector.write(object, &items).await.outcomes);
            }
            faults(running, system, json!({})).await;
            let unknown = outcomes.iter().filter(|outcome| **outcome == Outcome::Unknown).count();
            assert!(unknown > 0 && unknown < 200, "{system}: {unknown} of 200 outcomes are unknown");

            let keys: Vec<String> = (0..200).map(key).collect();
            let spec = ReadSpec {
                object: object.to_owned(),
                properties: vec![name.to_owned()],
                external_id: Some(external_id.to_owned()),
            };
            let rows = connector.read(&spec, Keys::Values { property: external_id, values: &keys }, false).await;
            let rows = rows.expect("an answer").rows;
            let mut landed = 0;
            for (n, outcome) in outcomes.iter().enumerate() {
                let found: Vec<_> =
                    rows.iter().filter(|row| row.values[1] == Raw::Text(keys[n].as_str().into())).collect();
                assert!(found.len() < 2, "{system}: {} came twice", keys[n]);
                match outcome {
                    Outcome::Done { remote, .. } | Outcome::Partly { remote, .. } => {
                        assert_eq!(found.first().map(|row| &row.remote), Some(remote), "{system} {n}");
                    }
                    Outcome::Unknown => landed += found.len(),
                    Outcome::Taken => {
                        assert_eq!(found.len(), 1, "{system} {n}: refused as a double of what is not there")
                    }
                    Outcome::Retry { .. } | Outcome::Refused { .. } | Outcome::Gone(_) => {
                        assert!(found.is_empty(), "{system}: {outcome:?}, and yet it was written");
                    }
                }
            }
            assert!(landed > 0 && landed < unknown, "{system}: {landed} of {unknown} unknown ones landed");
        }
    });
}

/// HubSpot whose lock and limits are waited for shortly, so that the test ends soon.
fn patient(running: &Running) -> HubSpot {
    let (url, token) = (ready(running, "hubspot", "url"), ready(running, "hubspot", "token"));
    let config = HubSpotConfig::new("hubspot", url, token.into());
    let patience = syncline::connector::retry::Patience { wait_ms_max: 20, ..Default::default() };
    HubSpot::new(HubSpotConfig { patience, ..config }).expect("a connector")
}

#[test]
fn history_tells_our_writes_from_a_persons() {
    with_sandbox(async |running| {
        let connector = hubspot(running);
        let target = Target::Create { property: "syncline_id".into(), value: "history".into() };
        let item = WriteItem { op: OpId(1), target, fields: vec![text("lastname", "Ours")] };
        let answer = connector.write("contacts", &[item]).await;
        let Outcome::Done { remote, .. } = &answer.outcomes[0] else { panic!("{:?}", answer.outcomes) };
        let url = format!("{}/crm/objects/2026-03/contacts/{remote}", ready(running, "hubspot", "url"));
        let body = json!({"properties": {"lastname": "Theirs"}}).to_string();
        let request = Client::new().patch(url).bearer_auth(ready(running, "hubspot", "user_token")).body(body);
        assert!(request.send().await.expect("an answer").status().is_success());
        let spec = ReadSpec { object: "contacts".into(), properties: vec!["lastname".into()], external_id: None };
        let answer = connector.read(&spec, Keys::Ids(std::slice::from_ref(remote)), true).await.expect("an answer");
        let past = &answer.rows[0].history[0];
        assert_eq!(past.iter().map(|past| past.mark).collect::<Vec<_>>(), [Mark::Theirs, Mark::Ours]);
        assert_eq!(past[1].value, Raw::Text("Ours".into()));
    });
}

#[test]
fn credentials_are_renewed_and_refused_in_plain_words() {
    with_sandbox(async |running| {
        let get = |system: &str, key: &str| ready(running, system, key);
        let refresh = |system: &str| Credential::RefreshToken {
            client_id: get(system, "client_id"),
            client_secret: get(system, "client_secret").into(),
            refresh_token: get(system, "refresh_token").into(),
            on_rotate: None,
        };
        let config = HubSpotConfig::new("hubspot", get("hubspot", "url"), "canary".into());
        let renewing = HubSpot::new(HubSpotConfig { credential: refresh("hubspot"), ..config.clone() }).unwrap();
        assert!(renewing.schema("contacts").await.is_ok());
        let wrong = HubSpot::new(config).unwrap().schema("contacts").await.unwrap_err();
        assert!(wrong.to_string().contains("refused the credential"), "{wrong}");
        assert!(!format!("{wrong:?}{wrong}").contains("canary"));
        let config = SalesforceConfig::new("salesforce", get("salesforce", "url"), "canary".into());
        let client = Credential::ClientCredentials {
            client_id: get("salesforce", "client_id"),
            client_secret: get("salesforce", "client_secret").into(),
        };
        for credential in [refresh("salesforce"), client] {
            let renewing = Salesforce::new(SalesforceConfig { credential, ..config.clone() }).unwrap();
            assert!(renewing.schema("Contact").await.is_ok());
        }
        let wrong = Salesforce::new(config).unwrap().schema("Contact").await.unwrap_err();
        assert!(wrong.to_string().contains("refused the credential"), "{wrong}");
    });
}

/// Everything that a scan shows is shown by `changes` from a cursor before it, and costs few calls.
#[test]
fn a_scan_and_all_changes_agree_and_are_cheap() {
    with_sandbox(async |running| {
        let connectors: [(Box<dyn Connector>, &str, &str); 2] =
            [(Box::new(hubspot(running)), "contacts", "email"), (Box::new(salesforce(running)), "Contact", "Email")];
        for (connector, object, property) in connectors {
            let spec = ReadSpec { object: object.into(), properties: vec![property.into()], external_id: None };
            let mut scanned = Vec::new();
            let mut cursor: Option<Vec<u8>> = None;
            let before = connector.calls();
            loop {
                let page = connector.scan(&spec, cursor.as_deref()).await.expect("a page");
                scanned.extend(page.rows.iter().map(|row| (row.remote.clone(), row.raw)));
                match page.end {
                    PageEnd::More(next) => cursor = Some(next),
                    PageEnd::Done(_) => break,
                }
            }
            scanned.sort();
            let calls = connector.calls() - before;
            assert!(scanned.len() > 300 && calls <= 1 + scanned.len() as u64 / 100, "{calls} calls");
            // A cursor of long ago: every record has changed since.
            let mut cursor = br#"{"kept":{"pass":1000,"far":1000},"run":null}"#.to_vec();
            let mut changed = Vec::new();
            loop {
                let page = connector.changes(&spec, Some(&cursor)).await.expect("a page");
                changed.extend(page.rows.iter().map(|row| (row.remote.clone(), row.raw)));
                match page.end {
                    PageEnd::More(next) => cursor = next,
                    PageEnd::Done(_) => break,
                }
            }
            changed.sort();
            changed.dedup();
            assert_eq!(changed, scanned, "{object}");
        }
    });
}
