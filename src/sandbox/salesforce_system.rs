//! The Salesforce world as the listener and the seeding see it.

use super::faults::Faults;
use super::http::{Request, Response};
use super::ledger::{Caller, Ledger};
use super::limits::Limits;
use super::salesforce::SalesforceWorld;
use super::system::{Furnish, System, Vendor};

impl System for SalesforceWorld {
    fn vendor(&self) -> Vendor {
        Vendor::Salesforce
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
        Self::kind(request).unwrap_or("other")
    }

    fn set_faults(&mut self, faults: &Faults) {
        self.set_touch_equal(!faults.ignore_identical_writes);
    }

    fn withdraw(&mut self, object: &str, property: &str) {
        self.remove_field(object, property);
    }

    fn set_limits(&mut self, limits: Option<Limits>) {
        self.set_daily_limit(limits.and_then(|limits| limits.daily));
    }
}

impl Furnish for SalesforceWorld {
    fn properties(&self, object: &str) -> Vec<(String, String)> {
        self.properties(object)
    }

    fn add_text_field(&mut self, object: &str, name: &str, label: &str) {
        self.add_text_field(object, name, label);
    }

    fn remove_field(&mut self, object: &str, name: &str) {
        self.remove_field(object, name);
    }

    fn owner(&self, email: &str) -> Option<String> {
        self.owner(email)
    }

    fn insert(&mut self, object: &str, fields: Vec<(String, String)>, created_ms: i64) -> Result<String, String> {
        self.insert_seed(object, fields, created_ms)
    }

    fn insert_with(
        &mut self,
        object: &str,
        mut fields: Vec<(String, String)>,
        company: Option<&str>,
        created_ms: i64,
    ) -> Result<String, String> {
        fields.extend(company.map(|id| ("AccountId".to_owned(), id.to_owned())));
        self.insert_seed(object, fields, created_ms)
    }
}
