//! The world itself: what the listener and the simulation hold.

use serde_json::json;

use super::database::{Actor, Database};
use super::error::Refusal;
use super::id::Id;
use super::rest::{Call, Cursors, Route, Target, dispatch};
use super::schema::Field;
use super::value::Value;
use crate::sandbox::http::{Request, Response};
use crate::sandbox::ledger::{Caller, Ledger};
use crate::sandbox::tokens::Tokens;

/// One emulated org.
#[derive(Debug)]
pub struct SalesforceWorld {
    pub(super) database: Database,
    pub(super) cursors: Cursors,
    pub(super) tokens: Tokens,
    /// The integration's present access token.
    pub(super) session: String,
    sessions: u64,
    ledger: Ledger,
    integration: Id,
    person: Id,
    /// API requests of the integration, for the limit header.
    pub(super) calls: u64,
    daily_limit: Option<u64>,
}

impl SalesforceWorld {
    /// The standard schema, the integration's user and a person, and no other records.
    pub fn new(tokens: Tokens, seed: u64) -> Self {
        let mut database = Database::new(seed);
        let person = add_user(&mut database, "person@sandbox.example", "Pat", "Person", None);
        let integration = add_user(&mut database, &tokens.username, "Sync", "Integration", Some(person));
        for (email, first, last, active) in OWNERS {
            add_owner(&mut database, email, (first, last), active, person);
        }
        let _ = database.commit();
        Self {
            database,
            cursors: Cursors::default(),
            session: tokens.token.clone(),
            sessions: 0,
            tokens,
            ledger: Ledger::default(),
            integration,
            person,
            calls: 0,
            daily_limit: None,
        }
    }

    /// Answers one request.
    pub fn handle(&mut self, request: &Request, now_ms: i64) -> Response {
        let size = request.path.len() + request.query.len();
        let size = request.headers.iter().fold(size, |sum, (name, value)| sum + name.len() + value.len() + 4);
        if size > URI_AND_HEADERS_MAX {
            // UNVERIFIED: the status and the body.
            return refused(&Refusal::new(414, "URI_TOO_LONG", "URI and headers may not exceed 16,384 bytes"));
        }
        match Route::of(request) {
            Route::Token => self.issue_token(request, now_ms),
            Route::Revoke => Response::empty(200),
            Route::Versions => versions(),
            Route::UserInfo => self.with_caller(request, |world, caller| {
                world.ledger.call(caller, "userinfo");
                world.user_info(request, caller)
            }),
            Route::Data(base, target) => {
                let mut response = self.with_caller(request, |world, caller| {
                    let actor = world.actor(caller, now_ms);
                    world.answer(&Call { request, base, caller, actor, now_ms }, &target)
                });
                response.headers.push(("sforce-limit-info".into(), self.limit_info()));
                response
            }
            Route::Unknown => refused(&Refusal::not_found()),
        }
    }

    /// The books.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The books, for a listener that refuses calls before they get here.
    pub fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    /// Whose token the request carries.
    pub fn caller(&self, request: &Request) -> Option<Caller> {
        let header = request.header("authorization")?;
        let token = header.strip_prefix("Bearer ").or_else(|| header.strip_prefix("OAuth "))?.trim();
        match token {
            token if token == self.session => Some(Caller::Integration),
            token if token == self.tokens.user_token => Some(Caller::User),
            _ => None,
        }
    }

    /// Would this request change records?
    pub fn is_write(request: &Request) -> bool {
        matches!(Route::of(request), Route::Data(_, target) if target.is_write(&request.body))
    }

    /// The kind the ledger counts this request under; `None` when it is none of the API's calls.
    pub fn kind(request: &Request) -> Option<&'static str> {
        match Route::of(request) {
            Route::Data(_, target) => Some(target.kind()),
            Route::UserInfo => Some("userinfo"),
            _ => None,
        }
    }

    /// Puts a record in past the API, as the person made it at `created_ms`; the ledger does not hear of it.
    ///
    /// Texts are read by the field's type, an empty one is null. `Id` may be given, and so may the system's own columns.
    /// The answer is the record's id, or why it was refused.
    pub fn insert_seed(
        &mut self,
        object: &str,
        fields: Vec<(String, String)>,
        created_ms: i64,
    ) -> Result<String, String> {
        let table = self.database.find_table(object).ok_or_else(|| format!("there is no object {object}"))?;
        let actor = self.actor(Caller::User, created_ms);
        let seeded = self.database.seed_changes(table, &fields);
        let seeded = seeded.and_then(|changes| self.database.seed(table, changes, actor));
        let _ = self.database.commit();
        seeded.map(|id| id.to_string()).map_err(|refusal| format!("{}: {}", refusal.code, refusal.message))
    }

    /// The active user with this e-mail address who owns records and calls nobody.
    pub fn owner(&self, email: &str) -> Option<String> {
        let table = self.database.find_table("User")?;
        let column = self.database.object(table).column("Username")?;
        let known = OWNERS.iter().any(|(of, _, _, active)| *active && of.eq_ignore_ascii_case(email));
        let found = self.database.find(table, column, &Value::Text(format!("{email}.org")));
        found.first().filter(|_| known).map(Id::to_string)
    }

    /// Adds a text field of 255 characters, as an administrator would. Open query cursors end.
    pub fn add_text_field(&mut self, object: &str, name: &str, label: &str) {
        if let Some(table) = self.database.find_table(object) {
            let field = Field { custom: true, ..Field::text(name, label, 255) };
            self.database.table_mut(table).add_field(field);
            self.cursors.clear();
        }
    }

    /// Takes a field and its values away, as an administrator would. Open query cursors end.
    pub fn remove_field(&mut self, object: &str, name: &str) {
        if let Some(table) = self.database.find_table(object) {
            self.database.table_mut(table).remove_field(name);
            self.cursors.clear();
        }
    }

    /// The name and the label of every field of an object.
    pub fn properties(&self, object: &str) -> Vec<(String, String)> {
        let Some(table) = self.database.find_table(object) else {
            return Vec::new();
        };
        let fields = self.database.object(table).fields().iter();
        fields.map(|field| (field.name.clone(), field.label.clone())).collect()
    }

    /// Does an update that changes no value still move `SystemModstamp`? It does unless this is switched off.
    pub fn set_touch_equal(&mut self, touch: bool) {
        self.database.touch_equal = touch;
    }

    /// Refuses the integration's calls behind so many (`None`: never).
    pub fn set_daily_limit(&mut self, limit: Option<u64>) {
        self.daily_limit = limit;
    }

    /// Ends the integration's session: its token is refused until a new one is fetched.
    pub fn expire_session(&mut self) {
        self.sessions += 1;
        self.session = format!("{}.{}", self.tokens.token, self.sessions);
    }

    /// The user behind a caller.
    pub(super) fn user_of(&self, caller: Caller) -> Id {
        match caller {
            Caller::Integration => self.integration,
            Caller::User => self.person,
        }
    }

    /// How many calls a day the integration has.
    pub(super) fn calls_max(&self) -> u64 {
        self.daily_limit.unwrap_or(UNLIMITED_CALLS)
    }

    fn actor(&self, caller: Caller, now_ms: i64) -> Actor {
        Actor { user: self.user_of(caller), now: now_ms.div_euclid(1000) }
    }

    fn with_caller(&mut self, request: &Request, answer: impl FnOnce(&mut Self, Caller) -> Response) -> Response {
        match self.caller(request) {
            Some(caller) => answer(self, caller),
            None => refused(&Refusal::new(401, "INVALID_SESSION_ID", "Session expired or invalid")),
        }
    }

    fn answer(&mut self, call: &Call<'_>, target: &Target) -> Response {
        self.ledger.call(call.caller, target.kind());
        if call.caller == Caller::Integration {
            if self.daily_limit.is_some_and(|limit| self.calls >= limit) {
                return refused(&Refusal::new(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."));
            }
            self.calls += 1;
        }
        let response = dispatch(self, call, target);
        let writes = self.database.commit();
        let books = self.ledger.writes(call.caller);
        books.create += writes.create;
        books.update += writes.update;
        books.delete += writes.delete;
        response
    }

    fn limit_info(&self) -> String {
        format!("api-usage={}/{}", self.calls, self.calls_max())
    }
}

fn refused(refusal: &Refusal) -> Response {
    Response::json(refusal.status, &refusal.to_body())
}

fn versions() -> Response {
    let version = |number: u32| {
        let season = ["Spring", "Summer", "Winter"][number as usize % 3];
        let year = 24 + (number - 59) / 3;
        let version = format!("{number}.0");
        json!({"label": format!("{season} '{year}"), "url": format!("/services/data/v{version}"), "version": version})
    };
    Response::json(200, &(60..=67).map(version).collect())
}

fn add_user(database: &mut Database, username: &str, first: &str, last: &str, by: Option<Id>) -> Id {
    let actor = Actor { user: by.unwrap_or_else(|| Id::mint("005", *b"00", 1)), now: BORN };
    let Some(table) = database.find_table("User") else {
        return actor.user;
    };
    let fields =
        [("Username", username), ("Email", username), ("FirstName", first), ("LastName", last), ("IsActive", "true")];
    let fields: Vec<_> = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let mut changes = database.seed_changes(table, &fields).unwrap_or_default();
    if by.is_none() {
        changes.push((super::schema::column::ID, Value::Id(actor.user)));
    }
    database.seed(table, changes, actor).unwrap_or(actor.user)
}

/// A user who owns records and calls nobody.
fn add_owner(database: &mut Database, email: &str, (first, last): (&str, &str), active: bool, by: Id) {
    let Some(table) = database.find_table("User") else { return };
    let active = active.to_string();
    // The same person has another name to log in by.
    let username = format!("{email}.org");
    let fields =
        [("Username", &*username), ("Email", email), ("FirstName", first), ("LastName", last), ("IsActive", &active)];
    let fields: Vec<_> = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let changes = database.seed_changes(table, &fields).unwrap_or_default();
    let _ = database.seed(table, changes, Actor { user: by, now: BORN });
}

/// Users besides those who call: e-mail address, first and last name, active or not. Some are HubSpot's owners, too.
pub const OWNERS: [(&str, &str, &str, bool); 4] = [
    ("olivia.owner@sandbox.example", "Olivia", "Owner", true),
    ("Sam.Seller@Sandbox.Example", "Sam", "Seller", true),
    ("rita.rep@sandbox.example", "Rita", "Rep", false),
    ("sue.salesforce@sandbox.example", "Sue", "Salesforce", true),
];

/// When the org was born: the first second of 2024.
const BORN: i64 = 1_704_067_200;

/// What a full sandbox has.
const UNLIMITED_CALLS: u64 = 5_000_000;

const URI_AND_HEADERS_MAX: usize = 16_384;
