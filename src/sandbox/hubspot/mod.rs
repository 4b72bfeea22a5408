//! An emulated HubSpot portal: a world of records and handlers that are functions of a request and the time.
//!
//! What is uncertain in the real service is answered here in the way that asks most of a client: ids repeat across record
//! types, batch results come in no order, a write of the value that is there already counts as a write, created datetimes
//! are echoed as milliseconds. A batch knows nothing of ids that were merged away.
//! Left out: webhooks, permissions.

mod account;
mod associations;
mod batch;
mod life;
mod lists;
mod object_type;
mod objects;
mod properties;
mod query;
mod quota;
mod record;
mod refusal;
mod route;
mod schema;
mod search;
mod search_filter;
mod seeding;
mod show;
mod standard;
mod table;
mod value;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use self::associations::Associations;
use self::object_type::ObjectType;
use self::quota::Quota;
use self::record::Source;
use self::refusal::Refusal;
use self::route::{Route, Verb};
use self::show::Shower;
use self::table::Table;
use crate::sandbox::clock;
use crate::sandbox::faults::Faults;
use crate::sandbox::http::{Request, Response};
use crate::sandbox::ledger::{Caller, Ledger};
use crate::sandbox::limits::Limits;
use crate::sandbox::rng::Rng;
use crate::sandbox::system::{System, Vendor};
use crate::sandbox::tokens::Tokens;

/// One emulated portal.
#[derive(Debug, Clone)]
pub struct HubSpotWorld {
    tokens: Tokens,
    tables: [Table; 4],
    associations: Associations,
    lists: lists::Lists,
    ledger: Ledger,
    quota: Quota,
    faults: Faults,
    rng: Rng,
    /// OAuth access tokens and when they expire.
    access: BTreeMap<String, i64>,
    /// Background work to come: when, on which type, on which record.
    touches: BTreeSet<(i64, usize, u64)>,
}

/// One call that was let in.
#[derive(Debug, Clone, Copy)]
struct Call {
    caller: Caller,
    now_ms: i64,
}

impl Call {
    fn source(self) -> Source {
        match self.caller {
            Caller::Integration => Source::Integration,
            Caller::User => Source::User,
        }
    }
}

impl HubSpotWorld {
    /// A portal with the standard schema, one owner and one deal pipeline, and no records.
    pub fn new(tokens: Tokens, seed: u64) -> Self {
        Self {
            tokens,
            tables: ObjectType::ALL.map(|object| Table::new(standard::schema(object))),
            associations: Associations::default(),
            lists: lists::Lists::default(),
            ledger: Ledger::default(),
            quota: Quota::default(),
            faults: Faults::default(),
            rng: Rng::new(seed, "hubspot"),
            access: BTreeMap::new(),
            touches: BTreeSet::new(),
        }
    }

    /// Answers one request at the time `now_ms`.
    pub fn handle(&mut self, request: &Request, now_ms: i64) -> Response {
        self.work_in_background(now_ms);
        let correlation = self.correlation_id();
        let mut rate = Vec::new();
        let answer = self.answer(request, now_ms, &mut rate);
        let mut response = answer.unwrap_or_else(|refusal| Response::json(refusal.status, &refusal.body(&correlation)));
        response.headers.extend(rate);
        response.headers.push(("x-hubspot-correlation-id".to_owned(), correlation));
        response
    }

    /// What has been called and written so far.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Whose token the request carries, expired ones included.
    pub fn caller(&self, request: &Request) -> Option<Caller> {
        let token = bearer(request)?;
        if token == self.tokens.user_token {
            Some(Caller::User)
        } else {
            (token == self.tokens.token || self.access.contains_key(token)).then_some(Caller::Integration)
        }
    }

    /// Whether the request would change records or definitions, going by method and path.
    pub fn is_write(request: &Request) -> bool {
        match Route::of(request) {
            Ok(Route::Objects { verb, .. }) => verb.is_write(),
            Ok(Route::Properties { .. }) => request.method != "GET",
            Ok(Route::Ties { tie, .. }) => tie.is_write(),
            _ => false,
        }
    }

    /// The kind of call a request is, as the ledger counts it.
    pub fn kind(request: &Request) -> &'static str {
        Route::of(request).as_ref().map_or("other", Route::kind)
    }

    fn answer(
        &mut self,
        request: &Request,
        now_ms: i64,
        rate: &mut Vec<(String, String)>,
    ) -> Result<Response, Refusal> {
        let route = Route::of(request);
        if let Ok(Route::Token) = route {
            return Ok(self.token(request, now_ms));
        }
        let caller = self.authenticate(request, now_ms);
        if let Some(known) = self.caller(request) {
            self.ledger.call(known, route.as_ref().map_or("other", Route::kind));
        }
        let caller = caller?;
        if caller == Caller::Integration {
            let is_search = matches!(route, Ok(Route::Objects { verb: Verb::Search, .. }));
            let admitted = self.quota.admit(is_search, now_ms);
            let is_oauth = bearer(request).is_some_and(|token| self.access.contains_key(token));
            rate.extend(self.quota.headers(is_search, is_oauth));
            admitted?;
        }
        self.dispatch(route?, request, Call { caller, now_ms })
    }

    fn dispatch(&mut self, route: Route, request: &Request, call: Call) -> Result<Response, Refusal> {
        match route {
            Route::Objects { object, verb, multi_status } => match verb {
                Verb::List => self.list(object, request, call),
                Verb::Create => self.create(object, request, call),
                Verb::Read(id) => self.read(object, &id, request, call),
                Verb::Update(id) => self.update(object, &id, request, call),
                Verb::Archive(id) => Ok(self.archive(object, &id, call)),
                Verb::Restore(id) => self.restore(object, &id, call),
                Verb::Merge => self.merge(object, request, call),
                Verb::Search => self.search(object, request, call),
                Verb::BatchRead => self.batch_read(object, request, call, multi_status),
                Verb::BatchCreate => self.batch_create(object, request, call, multi_status),
                Verb::BatchUpdate => self.batch_update(object, request, call, multi_status),
                Verb::BatchUpsert => self.batch_upsert(object, request, call, multi_status),
                Verb::BatchArchive => self.batch_archive(object, request, call),
            },
            Route::Ties { from, to, tie, multi_status } => self.tie_call((from, to), &tie, request, call, multi_status),
            Route::Properties { object, rest } => self.property_call(object, &rest, request, call),
            Route::Pipelines { object, rest } => account::pipelines(object, &rest, request),
            Route::Lists { ask } => self.list_call(&ask, request, call),
            Route::Owners { id } => account::owners(id.as_deref(), request),
            Route::AccountDetails => Ok(account::details()),
            Route::TokenInfo => self.token_info(request),
            Route::AccountUsage => Ok(self.usage(call)),
            Route::Token => Ok(self.token(request, call.now_ms)),
        }
    }

    fn authenticate(&self, request: &Request, now_ms: i64) -> Result<Caller, Refusal> {
        let Some(token) = bearer(request) else {
            return Err(Refusal::new(
                401,
                "INVALID_AUTHENTICATION",
                "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more \
                 details at https://developers.hubspot.com/docs/methods/auth/oauth-overview",
            ));
        };
        match (self.caller(request), self.access.get(token)) {
            (Some(_), Some(&expires_ms)) if expires_ms <= now_ms => Err(expired(expires_ms, now_ms)),
            (Some(caller), _) => Ok(caller),
            // A token that was never one looks like one that expired at the epoch.
            (None, _) => Err(expired(0, now_ms)),
        }
    }

    fn table(&self, object: ObjectType) -> &Table {
        &self.tables[object.index()]
    }

    fn table_mut(&mut self, object: ObjectType) -> &mut Table {
        &mut self.tables[object.index()]
    }

    fn shower(&self) -> Shower<'_> {
        Shower { app_id: &self.tokens.app_id, portal_id: account::PORTAL_ID }
    }

    fn work_in_background(&mut self, now_ms: i64) {
        while let Some(&(at_ms, object, id)) = self.touches.first().filter(|touch| touch.0 <= now_ms) {
            self.touches.pop_first();
            self.tables[object].touch(id, at_ms);
        }
    }

    /// Creates a record from checked values, and books it.
    fn book_create(&mut self, object: ObjectType, changes: &table::Changes, call: Call) -> u64 {
        let id = self.table_mut(object).create(changes, call.source(), call.now_ms);
        self.ledger.writes(call.caller).create += 1;
        if self.faults.touch_after_create_ms > 0 {
            let at_ms = call.now_ms.saturating_add_unsigned(self.faults.touch_after_create_ms);
            self.touches.insert((at_ms, object.index(), id));
        }
        id
    }

    /// Writes checked values to a record, and books it.
    fn book_update(&mut self, object: ObjectType, id: u64, changes: &table::Changes, call: Call) {
        let ignore_identical = self.faults.ignore_identical_writes;
        self.table_mut(object).update(id, changes, call.source(), call.now_ms, ignore_identical);
        self.ledger.writes(call.caller).update += 1;
    }

    fn correlation_id(&mut self) -> String {
        let (high, low) = (self.rng.word(), self.rng.word());
        let (a, b, c) = (high >> 32, high >> 16 & 0xffff, high & 0xfff);
        format!("{a:08x}-{b:04x}-4{c:03x}-8{:03x}-{:012x}", low >> 48 & 0xfff, low & 0xffff_ffff_ffff)
    }
}

impl System for HubSpotWorld {
    fn withdraw(&mut self, object: &str, property: &str) {
        match (object, property) {
            // Not a field, but a right that can be lost like one.
            ("lists", "read") => self.lists.close(),
            _ => crate::sandbox::system::Furnish::remove_field(self, object, property),
        }
    }

    fn vendor(&self) -> Vendor {
        Vendor::HubSpot
    }

    fn handle(&mut self, request: &Request, now_ms: i64) -> Response {
        self.handle(request, now_ms)
    }

    fn ledger(&self) -> &Ledger {
        self.ledger()
    }

    fn caller(&self, request: &Request) -> Option<Caller> {
        self.caller(request)
    }

    fn is_write(&self, request: &Request) -> bool {
        Self::is_write(request)
    }

    fn kind(&self, request: &Request) -> &'static str {
        Self::kind(request)
    }

    fn set_faults(&mut self, faults: &Faults) {
        self.faults = faults.clone();
    }

    fn set_limits(&mut self, limits: Option<Limits>) {
        self.quota.set(limits.unwrap_or_default());
    }
}

fn bearer(request: &Request) -> Option<&str> {
    let (scheme, token) = request.header("authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

fn expired(expires_ms: i64, now_ms: i64) -> Refusal {
    let seconds = (now_ms - expires_ms) / 1000;
    let ago = match seconds {
        0..60 => format!("{seconds} second(s)"),
        60..3600 => format!("{} minute(s)", seconds / 60),
        3600..86_400 => format!("{} hour(s)", seconds / 3600),
        _ => format!("{} day(s)", seconds / 86_400),
    };
    Refusal::new(401, "EXPIRED_AUTHENTICATION", format!("The OAuth token used to make this call expired {ago} ago."))
        .with("context", json!({"expire time": [clock::instant(expires_ms)]}))
}

/// The JSON object of a request's body.
fn body_of(request: &Request) -> Result<serde_json::Map<String, Value>, Refusal> {
    serde_json::from_slice(&request.body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Refusal::bare(400, format!("Invalid input JSON on line {line}, column {column}: {error}"))
    })
}
