//! What the listener and the seeding need of an emulated system, whichever it is.

use super::faults::Faults;
use super::http::{Request, Response};
use super::ledger::{Caller, Ledger};
use super::limits::Limits;

/// The vendor whose manners a server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vendor {
    /// HubSpot.
    HubSpot,
    /// Salesforce.
    Salesforce,
}

/// An emulated system behind a listener: a world without socket, clock or thread.
pub trait System: Send + 'static {
    /// Whose manners it has.
    fn vendor(&self) -> Vendor;

    /// Answers one request at the time `now_ms`.
    fn handle(&mut self, request: &Request, now_ms: i64) -> Response;

    /// What has been called and written so far.
    fn ledger(&self) -> &Ledger;

    /// Whose token the request carries; `None` for an unknown one or none.
    fn caller(&self, request: &Request) -> Option<Caller>;

    /// Whether the request would write, going by method and path alone.
    fn is_write(&self, request: &Request) -> bool;

    /// The kind of call a request is, as the ledger counts it, going by method and path alone.
    fn kind(&self, request: &Request) -> &'static str;

    /// Takes over the faults that are properties of the world rather than of the line.
    fn set_faults(&mut self, _faults: &Faults) {}

    /// An administrator takes a property away from everybody.
    fn withdraw(&mut self, object: &str, property: &str);

    /// Takes over the account's limits; `None` means none.
    fn set_limits(&mut self, _limits: Option<Limits>) {}
}

/// A world that can be filled before it is served.
pub trait Furnish {
    /// The name and label of every property of an object, `contacts` or `Contact`.
    fn properties(&self, object: &str) -> Vec<(String, String)>;

    /// Adds a text property, for a column that the standard schema does not know.
    fn add_text_field(&mut self, object: &str, name: &str, label: &str);

    /// Removes a property from the schema.
    fn remove_field(&mut self, object: &str, name: &str);

    /// The id of the active user with this e-mail address, to whom records can belong.
    fn owner(&self, email: &str) -> Option<String>;

    /// Inserts a record and returns its id, given in the fields or minted; the error says what the system would refuse.
    fn insert(&mut self, object: &str, fields: Vec<(String, String)>, created_ms: i64) -> Result<String, String>;

    /// The same for a record that belongs to the company of this id, if it is told.
    fn insert_with(
        &mut self,
        object: &str,
        fields: Vec<(String, String)>,
        company: Option<&str>,
        created_ms: i64,
    ) -> Result<String, String>;
}
