//! The story: what people do, where, and when it has arrived on the other side.

use super::user::{User, encoded};
use crate::cli::{CliError, Output, explain, ground};
use crate::daemon::account::{self, Wish};
use crate::daemon::{Handle, Tally};
use crate::sandbox::listener::Running;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Everybody who takes part.
pub(super) struct Stage {
    hubspot: User,
    salesforce: User,
    handle: Handle,
}

/// One thing that people did.
pub(super) struct Scene {
    title: &'static str,
    did: Vec<String>,
    result: String,
    /// None = it did not arrive in time.
    pub arrived_ms: Option<u64>,
    calls: (i64, i64),
}

impl Scene {
    pub fn document(&self) -> Value {
        json!({
            "title": self.title, "did": self.did, "result": self.result, "arrived_ms": self.arrived_ms,
            "calls": { "hubspot": self.calls.0, "salesforce": self.calls.1 },
        })
    }

    fn show(&self, output: Output) {
        output.say("");
        output.say(format!("  {}", self.title));
        for line in &self.did {
            output.line(format!("    {line}"));
        }
        let when = match self.arrived_ms {
            Some(ms) => format!("after {ms} ms"),
            None => "NOT in time".to_owned(),
        };
        let (hubspot, salesforce) = self.calls;
        output.line(format!("    → {}", self.result));
        output.say(format!(
            "      {when}, with {hubspot} calls to HubSpot and {salesforce} to Salesforce besides the polls"
        ));
    }
}

/// A person who stands in both systems.
struct Person {
    name: String,
    email: String,
    hubspot: String,
    salesforce: String,
}

type Found<T> = Result<T, CliError>;

impl Stage {
    pub fn new(running: &Running, handle: Handle) -> Found<Self> {
        let (Some(hubspot), Some(salesforce)) = (&running.hubspot, &running.salesforce) else {
            return Err(CliError::world("sandbox", "a sandbox is missing", "this should not happen: please report it"));
        };
        let hubspot = User::new(&running.ready["hubspot"], hubspot);
        let salesforce = User::new(&running.ready["salesforce"], salesforce);
        Ok(Self { hubspot, salesforce, handle })
    }

    /// Plays all scenes.
    pub async fn play(&self, output: Output) -> Found<Vec<Scene>> {
        let people = self.people(6).await?;
        let [a, b, c, ..] = people.as_slice() else {
            return Err(CliError::usage("demo", "there are too few people", "use a larger --records"));
        };
        self.settled().await?;
        let mut scenes = vec![self.two_fields(a).await?];
        let show = |scenes: &[Scene]| scenes.iter().last().into_iter().for_each(|scene| scene.show(output));
        show(&scenes);
        scenes.push(self.one_field(b).await?);
        show(&scenes);
        scenes.push(self.new_contact().await?);
        show(&scenes);
        scenes.push(self.stage_change().await?);
        show(&scenes);
        scenes.push(self.delete(c).await?);
        show(&scenes);
        scenes.push(self.explain(b).await?);
        show(&scenes);
        scenes.push(self.undo(&people).await?);
        show(&scenes);
        Ok(scenes)
    }

    async fn two_fields(&self, person: &Person) -> Found<Scene> {
        let (title, city) = ("Chief Listening Officer", "Reykjavík");
        let calls = self.calls().await?;
        let began = Instant::now();
        self.edit_hubspot("contacts", &person.hubspot, json!({ "jobtitle": title })).await?;
        self.edit_salesforce("Contact", &person.salesforce, json!({ "MailingCity": city })).await?;
        let arrived_ms = self
            .until(began, async || {
                let there = self.salesforce_contact(&person.salesforce).await?;
                let here = self.hubspot_contact(&person.hubspot).await?;
                Ok(there["Title"] == title && here["city"] == city)
            })
            .await?;
        Ok(Scene {
            title: "Two people edit two different fields of one contact at the same time",
            did: vec![
                format!("HubSpot     {}: job title becomes \"{title}\"", person.name),
                format!("Salesforce  {}: city becomes \"{city}\"", person.name),
            ],
            result: "no conflict: both sides show both".to_owned(),
            arrived_ms,
            calls: self.calls_since(calls).await?,
        })
    }

    async fn one_field(&self, person: &Person) -> Found<Scene> {
        let (ours, theirs) = ("+1 202 555 0111", "+1 202 555 0122");
        let (calls, before) = (self.calls().await?, self.tally().await?);
        let began = Instant::now();
        let (here, there) = tokio::join!(
            self.edit_hubspot("contacts", &person.hubspot, json!({ "phone": ours })),
            self.edit_salesforce("Contact", &person.salesforce, json!({ "Phone": theirs }))
        );
        here?;
        there?;
        let digits = |value: &Value| -> String {
            value.as_str().unwrap_or_default().chars().filter(char::is_ascii_digit).collect()
        };
        let mut winner = String::new();
        let arrived_ms = self
            .until(began, async || {
                let there = digits(&self.salesforce_contact(&person.salesforce).await?["Phone"]);
                let here = digits(&self.hubspot_contact(&person.hubspot).await?["phone"]);
                winner.clone_from(&here);
                Ok(here == there)
            })
            .await?;
        let calls = self.calls_since(calls).await?;
        let conflicts = self.tally().await?.conflicts - before.conflicts;
        let (name, why) = match winner.ends_with("0111") {
            true => ("HubSpot", "it was later"),
            false => ("Salesforce", "within one second, rank decides"),
        };
        Ok(Scene {
            title: "Two people edit the same field of one contact at the same time",
            did: vec![
                format!("HubSpot     {}: phone becomes {ours}", person.name),
                format!("Salesforce  {}: phone becomes {theirs}", person.name),
            ],
            result: match conflicts {
                0 => format!(
                    "{name}'s came first, and covered the other before a poll could see it: the limit of polling"
                ),
                _ => format!("{conflicts} conflict: {name}'s wins ({why}); the other value is kept in the journal"),
            },
            arrived_ms,
            calls,
        })
    }

    async fn new_contact(&self) -> Found<Scene> {
        let email = "grace.hopper@cobol.example";
        let calls = self.calls().await?;
        let began = Instant::now();
        let body = json!({ "properties": {
            "email": email, "firstname": "Grace", "lastname": "Hopper", "jobtitle": "Rear Admiral",
        } });
        self.hubspot.call(Method::POST, &objects("contacts"), Some(&body)).await?;
        let arrived_ms = self
            .until(began, async || {
                let query = format!("SELECT Id FROM Contact WHERE Email = '{email}' AND LastName = 'Hopper'");
                Ok(self.query(&query).await?.len() == 1)
            })
            .await?;
        Ok(Scene {
            title: "A new contact in HubSpot",
            did: vec![format!("HubSpot     Grace Hopper <{email}> is entered")],
            result: "created in Salesforce, after a fresh look that she was not there".to_owned(),
            arrived_ms,
            calls: self.calls_since(calls).await?,
        })
    }

    async fn stage_change(&self) -> Found<Scene> {
        let (name, id, there) = self.deal().await?;
        let calls = self.calls().await?;
        let began = Instant::now();
        self.edit_salesforce("Opportunity", &id, json!({ "StageName": "Closed Won" })).await?;
        let arrived_ms = self
            .until(began, async || {
                let path = format!("{}/{there}?properties=dealstage", objects("deals"));
                let deal = self.hubspot.call(Method::GET, &path, None).await?;
                Ok(deal["properties"]["dealstage"] == "closedwon")
            })
            .await?;
        Ok(Scene {
            title: "A deal is won, and the two systems have different words for it",
            did: vec![format!("Salesforce  \"{name}\": stage becomes \"Closed Won\"")],
            result: "HubSpot shows \"closedwon\", through the value map".to_owned(),
            arrived_ms,
            calls: self.calls_since(calls).await?,
        })
    }

    async fn delete(&self, person: &Person) -> Found<Scene> {
        let (calls, before) = (self.calls().await?, self.tally().await?);
        let began = Instant::now();
        self.salesforce.call(Method::DELETE, &sobject("Contact", &person.salesforce), None).await?;
        let arrived_ms = self.until(began, async || Ok(self.tally().await?.detached > before.detached)).await?;
        let there = self.hubspot_contact(&person.hubspot).await.is_ok();
        Ok(Scene {
            title: "A contact is deleted in Salesforce",
            did: vec![format!("Salesforce  {} <{}> is deleted", person.name, person.email)],
            result: match there {
                true => "the link ends; HubSpot's record is left alone, and nothing is created again".to_owned(),
                false => "HubSpot's record is gone, which must not be".to_owned(),
            },
            arrived_ms: arrived_ms.filter(|_| there),
            calls: self.calls_since(calls).await?,
        })
    }

    async fn explain(&self, person: &Person) -> Found<Scene> {
        let calls = self.calls().await?;
        let began = Instant::now();
        let text = format!("{}.phone", person.email);
        let document = self.handle.read(move |rules, books| account::explained(rules, books, &text, None)).await?;
        let field = &document["found"][0]["fields"][0];
        // Whether anything lost depends on which of the two was read first.
        let known = field["because"].is_object();
        let mut did = vec![format!("syncline explain {}.phone", person.email)];
        did.extend(explain::field_lines(field).into_iter().map(|line| format!("  {line}")));
        Ok(Scene {
            title: "Why does this contact show that phone number?",
            did,
            result: "from the journal: who, when, by which rule, and what did not hold".to_owned(),
            arrived_ms: known.then_some(began.elapsed().as_millis() as u64),
            calls: self.calls_since(calls).await?,
        })
    }

    /// Somebody spoils a field of many, somebody else mends one of them, and the rest is taken back.
    async fn undo(&self, people: &[Person]) -> Found<Scene> {
        let Some(spoilt @ [mended, .., last]) = people.get(3..) else {
            return Err(CliError::usage("demo", "there are too few people", "use a larger --records"));
        };
        let before = self.hubspot_contact(&last.hubspot).await?["city"].as_str().unwrap_or_default().to_owned();
        let calls = self.calls().await?;
        let (began, since) = (Instant::now(), ground::now());
        for person in spoilt {
            self.edit_hubspot("contacts", &person.hubspot, json!({ "city": "#REF!" })).await?;
        }
        let city = async |person: &Person| -> Found<Value> {
            Ok(self.salesforce_contact(&person.salesforce).await?["MailingCity"].clone())
        };
        let spread = self.until(began, async || Ok(city(last).await? == "#REF!")).await?;
        self.settled().await?;
        self.edit_salesforce("Contact", &mended.salesforce, json!({ "MailingCity": "Lisbon" })).await?;
        let there = async || Ok(self.hubspot_contact(&mended.hubspot).await?["city"] == "Lisbon");
        let arrived = self.until(Instant::now(), there).await?;
        self.settled().await?;
        let wish = Wish {
            since: Some(since.0),
            by: Some("hubspot".to_owned()),
            command: "undo of edits in hubspot".to_owned(),
            really: true,
            ..Wish::default()
        };
        let taken = Instant::now();
        let done = self.handle.undo(wish).await?;
        let back = async || {
            let there = city(last).await?;
            let here = self.hubspot_contact(&last.hubspot).await?["city"].clone();
            let is = |value: &Value| value.as_str().unwrap_or_default().trim() == before.trim();
            Ok(is(&there) && is(&here) && city(mended).await? == "Lisbon")
        };
        let arrived_ms = self.until(taken, back).await?.filter(|_| spread.is_some() && arrived.is_some());
        Ok(Scene {
            title: "A bad import in HubSpot is taken back",
            did: vec![
                format!("HubSpot     the city of {} contacts becomes \"#REF!\", and spreads", spoilt.len()),
                format!("Salesforce  {}: city is mended by hand: \"Lisbon\"", mended.name),
                "syncline undo --by hubspot --since …".to_owned(),
            ],
            result: format!(
                "{} restored on both sides; {} kept, since Salesforce has changed it after",
                done["done"]["restored"], done["kept"]["count"]
            ),
            arrived_ms,
            calls: self.calls_since(calls).await?,
        })
    }

    /// Waits until something is so; none = it is not in time.
    async fn until(&self, began: Instant, mut so: impl AsyncFnMut() -> Found<bool>) -> Found<Option<u64>> {
        while began.elapsed() < PATIENCE {
            if so().await? {
                return Ok(Some(began.elapsed().as_millis() as u64));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(None)
    }

    async fn tally(&self) -> Found<Tally> {
        Ok(self.handle.tally().await?)
    }

    /// Calls of ours so far, polls left out. Polls are told from the rest by their listings of deletes, so each system is
    /// looked at between two of its polls, when all is quiet.
    async fn calls(&self) -> Found<(i64, i64)> {
        self.settled().await?;
        let mut calls = (0, 0);
        for (name, user, slot) in
            [("hubspot", &self.hubspot, &mut calls.0), ("salesforce", &self.salesforce, &mut calls.1)]
        {
            let before = self.polls(name).await?;
            while self.polls(name).await? == before {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            *slot = user.calls();
        }
        Ok(calls)
    }

    async fn calls_since(&self, before: (i64, i64)) -> Found<(i64, i64)> {
        let now = self.calls().await?;
        Ok((now.0 - before.0, now.1 - before.1))
    }

    async fn polls(&self, system: &str) -> Found<u64> {
        let live = self.handle.live().await?;
        Ok(live.systems.iter().find(|status| status.name == system).map_or(0, |status| status.polls))
    }

    /// Waits until nothing is left to do.
    async fn settled(&self) -> Found<()> {
        let began = Instant::now();
        let polls = (self.polls("hubspot").await?, self.polls("salesforce").await?);
        while began.elapsed() < PATIENCE {
            let live = self.handle.live().await?;
            let read = (self.polls("hubspot").await?, self.polls("salesforce").await?);
            if live.quiet && read.0 > polls.0 && read.1 > polls.1 {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    async fn people(&self, wanted: usize) -> Found<Vec<Person>> {
        let query = "SELECT Id, FirstName, LastName, Email FROM Contact WHERE FirstName != null AND Email != null AND \
                     Title != null ORDER BY Id LIMIT 50";
        let mut people = Vec::new();
        for contact in self.query(query).await? {
            let text = |key: &str| contact[key].as_str().unwrap_or_default().to_owned();
            let email = text("Email").to_lowercase();
            let path = format!("{}/{}?idProperty=email", objects("contacts"), encoded(&email));
            let Ok(found) = self.hubspot.call(Method::GET, &path, None).await else { continue };
            people.push(Person {
                name: format!("{} {}", text("FirstName").trim(), text("LastName").trim()),
                email,
                hubspot: found["id"].as_str().unwrap_or_default().to_owned(),
                salesforce: text("Id"),
            });
            if people.len() == wanted {
                break;
            }
        }
        Ok(people)
    }

    /// A deal that is not won: its name, and its ids in Salesforce and HubSpot. Both write names in their own way, so one is
    /// looked for that both write alike.
    async fn deal(&self) -> Found<(String, String, String)> {
        let query = "SELECT Id, Name FROM Opportunity WHERE StageName != 'Closed Won' ORDER BY Id LIMIT 50";
        for deal in self.query(query).await? {
            let (Some(id), Some(name)) = (deal["Id"].as_str(), deal["Name"].as_str()) else { continue };
            let filter = json!({ "propertyName": "dealname", "operator": "EQ", "value": name });
            let body = json!({ "filterGroups": [{ "filters": [filter] }], "properties": ["dealname"] });
            let found = self.hubspot.call(Method::POST, &format!("{}/search", objects("deals")), Some(&body)).await?;
            let there = &found["results"][0];
            if found["total"] == 1 && there["properties"]["dealname"] == name {
                return Ok((name.to_owned(), id.to_owned(), there["id"].as_str().unwrap_or_default().to_owned()));
            }
        }
        Err(CliError::usage("demo", "there are too few deals", "use a larger --records"))
    }

    async fn query(&self, query: &str) -> Found<Vec<Value>> {
        let path = format!("{DATA}/query?q={}", encoded(query));
        let answer = self.salesforce.call(Method::GET, &path, None).await?;
        Ok(answer["records"].as_array().cloned().unwrap_or_default())
    }

    async fn salesforce_contact(&self, id: &str) -> Found<Value> {
        self.salesforce.call(Method::GET, &sobject("Contact", id), None).await
    }

    async fn hubspot_contact(&self, id: &str) -> Found<Value> {
        let path = format!("{}/{id}?properties=jobtitle,city,phone", objects("contacts"));
        Ok(self.hubspot.call(Method::GET, &path, None).await?["properties"].clone())
    }

    async fn edit_hubspot(&self, object: &str, id: &str, properties: Value) -> Found<()> {
        let path = format!("{}/{id}", objects(object));
        self.hubspot.call(Method::PATCH, &path, Some(&json!({ "properties": properties }))).await.map(drop)
    }

    async fn edit_salesforce(&self, object: &str, id: &str, fields: Value) -> Found<()> {
        self.salesforce.call(Method::PATCH, &sobject(object, id), Some(&fields)).await.map(drop)
    }
}

fn objects(object: &str) -> String {
    format!("/crm/objects/2026-03/{object}")
}

fn sobject(object: &str, id: &str) -> String {
    format!("{DATA}/sobjects/{object}/{id}")
}

const DATA: &str = "/services/data/v61.0";
/// Longest time that an edit may take to arrive.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);
