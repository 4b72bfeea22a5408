//! The counterparts that HubSpot and Salesforce are born with.

use super::settings::SystemKind;

/// An entity that both kinds of systems know.
pub(super) struct StandardEntity {
    pub name: &'static str,
    hubspot: &'static str,
    salesforce: &'static str,
    /// The field by which its records are matched.
    pub key: &'static str,
    /// The property in which the native connector keeps in HubSpot the id of the counterpart in Salesforce.
    pub link: &'static str,
    pub fields: &'static [StandardField],
}

/// A field that both kinds of systems know: name, type, property there and there.
pub(super) struct StandardField {
    pub name: &'static str,
    /// As a config writes it, with options of the type.
    pub kind: &'static str,
    hubspot: &'static str,
    salesforce: &'static str,
    /// What a create in Salesforce needs where the field is blank, as TOML.
    pub default: Option<&'static str>,
}

impl StandardEntity {
    /// The object of a system of this kind.
    pub fn object(&self, kind: SystemKind) -> &'static str {
        match kind {
            SystemKind::HubSpot => self.hubspot,
            SystemKind::Salesforce => self.salesforce,
        }
    }
}

impl StandardField {
    /// The property in a system of this kind.
    pub fn property(&self, kind: SystemKind) -> &'static str {
        match kind {
            SystemKind::HubSpot => self.hubspot,
            SystemKind::Salesforce => self.salesforce,
        }
    }
}

const fn field(
    name: &'static str,
    kind: &'static str,
    hubspot: &'static str,
    salesforce: &'static str,
) -> StandardField {
    StandardField { name, kind, hubspot, salesforce, default: None }
}

const fn with_default(field: StandardField, default: &'static str) -> StandardField {
    StandardField { default: Some(default), ..field }
}

/// Parents first.
pub(super) const ENTITIES: [StandardEntity; 3] = [
    StandardEntity {
        name: "company",
        hubspot: "companies",
        salesforce: "Account",
        key: "domain",
        link: "salesforceaccountid",
        fields: &[
            field("domain", "domain", "domain", "Website"),
            with_default(field("name", "text", "name", "Name"), "\"Unknown\""),
            field("phone", "phone", "phone", "Phone"),
            field("address", "text", "address", "BillingStreet"),
            field("city", "text", "city", "BillingCity"),
            field("state", "text", "state", "BillingState"),
            field("zip", "text", "zip", "BillingPostalCode"),
            field("country", "text", "country", "BillingCountry"),
            field("description", "text", "description", "Description"),
            field("employees", "decimal", "numberofemployees", "NumberOfEmployees"),
            field("revenue", "decimal", "annualrevenue", "AnnualRevenue"),
            field("industry", "enum", "industry", "Industry"),
        ],
    },
    StandardEntity {
        name: "person",
        hubspot: "contacts",
        salesforce: "Contact",
        key: "email",
        link: "salesforcecontactid",
        fields: &[
            field("email", "email", "email", "Email"),
            field("firstname", "text", "firstname", "FirstName"),
            with_default(field("lastname", "text", "lastname", "LastName"), "\"Unknown\""),
            field("phone", "phone", "phone", "Phone"),
            field("mobilephone", "phone", "mobilephone", "MobilePhone"),
            field("fax", "phone", "fax", "Fax"),
            field("jobtitle", "text", "jobtitle", "Title"),
            field("address", "text", "address", "MailingStreet"),
            field("city", "text", "city", "MailingCity"),
            field("state", "text", "state", "MailingState"),
            field("zip", "text", "zip", "MailingPostalCode"),
            field("country", "text", "country", "MailingCountry"),
        ],
    },
    StandardEntity {
        name: "deal",
        hubspot: "deals",
        salesforce: "Opportunity",
        key: "name",
        link: "hs_salesforceopportunityid",
        fields: &[
            field("name", "text", "dealname", "Name"),
            field("amount", "decimal", "amount", "Amount"),
            with_default(field("closedate", "date", "closedate", "CloseDate"), "2030-12-31"),
            with_default(field("stage", "enum", "dealstage", "StageName"), "\"Prospecting\""),
            field("description", "text", "description", "Description"),
        ],
    },
];

/// Stages that mean the same, as (HubSpot, Salesforce); the first of a meaning is the one that is written.
pub(super) const STAGES: [(&str, &str); 10] = [
    ("appointmentscheduled", "Prospecting"),
    ("qualifiedtobuy", "Qualification"),
    ("presentationscheduled", "Needs Analysis"),
    ("presentationscheduled", "Value Proposition"),
    ("decisionmakerboughtin", "Id. Decision Makers"),
    ("decisionmakerboughtin", "Perception Analysis"),
    ("contractsent", "Negotiation/Review"),
    ("contractsent", "Proposal/Price Quote"),
    ("closedwon", "Closed Won"),
    ("closedlost", "Closed Lost"),
];
