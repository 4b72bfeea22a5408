//! The sandbox over a socket: the ready line, the ledger, faults that strike and what they spare.
#![cfg(all(feature = "sandbox", feature = "http"))]

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use syncline::sandbox::faults::Faults;
use syncline::sandbox::listener::{Running, SandboxConfig, serve};
use syncline::sandbox::seed::SeedPlan;

const CONTACTS: &str = "/crm/objects/2026-03/contacts";

struct Caller<'a> {
    client: Client,
    running: &'a Running,
}

impl Caller<'_> {
    fn ready(&self, key: &str) -> String {
        self.running.ready["hubspot"][key].as_str().unwrap_or_else(|| panic!("no {key}")).to_owned()
    }

    async fn send(&self, token: &str, method: Method, path: &str, body: Value) -> reqwest::Result<(StatusCode, Value)> {
        let url = format!("{}{path}", self.ready("url"));
        let mut request = self.client.request(method, url).body(body.to_string());
        if !token.is_empty() {
            request = request.bearer_auth(self.ready(token));
        }
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }

    async fn ledger(&self) -> Value {
        self.send("", Method::GET, "/_sandbox/ledger", Value::Null).await.expect("an answer").1
    }

    async fn faults(&self, spec: Value) -> (StatusCode, Value) {
        self.send("", Method::POST, "/_sandbox/faults", spec).await.expect("an answer")
    }
}

fn with_sandbox(config: SandboxConfig, test: impl AsyncFnOnce(Caller<'_>)) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let running = serve(SandboxConfig { salesforce: None, ..config }).await.expect("a sandbox");
        test(Caller { client: Client::new(), running: &running }).await;
        running.stop().await;
    });
}

fn small() -> SandboxConfig {
    SandboxConfig { data: Some(SeedPlan { records: 40, ..SeedPlan::default() }), ..SandboxConfig::default() }
}

#[test]
fn a_seeded_sandbox_answers_and_keeps_books() {
    with_sandbox(small(), async |caller| {
        let summary = caller.running.summary;
        let (status, found) = caller
            .send("token", Method::POST, &format!("{CONTACTS}/search"), json!({"limit": 200}))
            .await
            .expect("an answer");
        assert_eq!(status, 200);
        assert_eq!(found["total"], summary.people.both + summary.people.only_hubspot);
        let (status, _) = caller
            .send("user_token", Method::POST, CONTACTS, json!({"properties": {"email": "new@example.com"}}))
            .await
            .expect("an answer");
        assert_eq!(status, 201);
        let (status, _) = caller.send("", Method::GET, CONTACTS, Value::Null).await.expect("an answer");
        assert_eq!(status, 401);
        let none = json!({"create": 0, "update": 0, "delete": 0});
        assert_eq!(
            caller.ledger().await,
            json!({"calls": {"total": 1, "by_kind": {"search": 1}, "user": 1},
                   "writes": {"integration": none, "user": {"create": 1, "update": 0, "delete": 0}}})
        );
    });
}

#[test]
fn errors_leave_the_world_untouched_and_a_person_unharmed() {
    with_sandbox(small(), async |caller| {
        assert_eq!(caller.faults(json!({"error": 1.0})).await.0, 200);
        let body = json!({"properties": {"email": "new@example.com"}});
        for _ in 0..5 {
            let (status, _) = caller.send("token", Method::POST, CONTACTS, body.clone()).await.expect("an answer");
            assert!(status.is_server_error());
        }
        let (status, _) = caller.send("user_token", Method::POST, CONTACTS, body).await.expect("an answer");
        assert_eq!(status, 201);
        let ledger = caller.ledger().await;
        assert_eq!((&ledger["calls"]["total"], &ledger["writes"]["integration"]["create"]), (&json!(5), &json!(0)));
        let (status, error) = caller.faults(json!({"eror": 1.0})).await;
        assert_eq!(status, 400);
        assert!(error["error"].as_str().is_some_and(|error| error.contains("unknown field `eror`")));
        let (_, fired) = caller.send("", Method::GET, "/_sandbox/faults", Value::Null).await.expect("an answer");
        assert_eq!(fired["fired"]["error"], 5);
    });
}

#[test]
fn a_lost_answer_belongs_to_a_request_that_was_applied() {
    let faults = Faults { lost_answer: 1.0, ..Faults::default() };
    with_sandbox(SandboxConfig { faults, ..small() }, async |caller| {
        let (mut cut, mut gateway) = (0, 0);
        for number in 0..20 {
            let body = json!({"properties": {"email": format!("new{number}@example.com")}});
            match caller.send("token", Method::POST, CONTACTS, body).await {
                Ok((status, _)) => gateway += usize::from(status == 502 || status == 504),
                Err(_) => cut += 1,
            }
        }
        assert!(cut > 0 && gateway > 0 && cut + gateway == 20, "{cut} {gateway}");
        assert_eq!(caller.ledger().await["writes"]["integration"]["create"], 20);
        assert_eq!(caller.running.hubspot.as_ref().expect("served").faults()["fired"]["lost_write"], 20);
    });
}

#[test]
fn a_partial_answer_breaks_off_in_the_body() {
    with_sandbox(small(), async |caller| {
        caller.faults(json!({"partial": 1.0})).await;
        for _ in 0..5 {
            assert!(caller.send("token", Method::GET, &format!("{CONTACTS}?limit=20"), Value::Null).await.is_err());
        }
        caller.faults(json!({})).await;
        assert!(caller.send("token", Method::GET, CONTACTS, Value::Null).await.is_ok());
    });
}

#[test]
fn delays_and_clocks_can_be_set() {
    with_sandbox(small(), async |caller| {
        caller.faults(json!({"latency_ms": 120, "clock_offset_ms": -3_600_000})).await;
        let began = std::time::Instant::now();
        let url = format!("{}{CONTACTS}", caller.ready("url"));
        let answer = caller.client.get(url).bearer_auth(caller.ready("token")).send().await.expect("an answer");
        assert!(began.elapsed().as_millis() >= 120);
        let date = answer.headers().get("date").and_then(|date| date.to_str().ok()).expect("a date");
        let date = httpdate::parse_http_date(date).expect("a good date");
        let behind = std::time::SystemTime::now().duration_since(date).expect("in the past");
        assert!((3_590..3_610).contains(&behind.as_secs()), "{behind:?}");
    });
}

#[test]
fn both_systems_hold_their_share_of_the_seeded_data() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let plan = SeedPlan { records: 200, overlap: 0.5, ambiguous: 8, leads: 0 };
        let running = serve(SandboxConfig { data: Some(plan), ..SandboxConfig::default() }).await.expect("a sandbox");
        let (summary, client) = (running.summary, Client::new());
        let salesforce = &running.ready["salesforce"];
        let text = |key: &str| salesforce[key].as_str().unwrap_or_else(|| panic!("no {key}")).to_owned();
        for (object, expected) in [
            ("Contact", summary.people.both + summary.people.only_salesforce + 2 * summary.people.ambiguous),
            ("Account", summary.companies.both + summary.companies.only_salesforce + summary.companies.ambiguous),
            ("Opportunity", summary.deals.both + summary.deals.only_salesforce),
        ] {
            let url = format!("{}/services/data/v60.0/query?q=SELECT+COUNT()+FROM+{object}", text("url"));
            let answer = client.get(url).bearer_auth(text("token")).send().await.expect("an answer");
            let answer: Value = answer.json().await.expect("JSON");
            assert_eq!(answer["totalSize"], expected, "{object}: {answer}");
        }
        let ledger = running.salesforce.as_ref().expect("served").ledger();
        assert_eq!(ledger["calls"]["total"], 3);
        running.stop().await;
    });
}
