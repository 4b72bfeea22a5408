//! The schema that every emulated portal is born with.

use super::object_type::ObjectType;
use super::schema::{Choice, Computed, Property, PropertyType, Schema};

/// The pipeline that deals are in by default.
pub const PIPELINE: &str = "default";

/// An owner of records.
pub struct Owner {
    /// Its id, which is not the user's.
    pub id: &'static str,
    /// The e-mail address.
    pub email: &'static str,
    /// First and last name.
    pub name: (&'static str, &'static str),
    /// False once the user was deactivated: then it is listed as archived only.
    pub active: bool,
}

/// The owners; the first has been there from the beginning.
pub const OWNERS: [Owner; 5] = [
    owner("81000001", "olivia.owner@sandbox.example", ("Olivia", "Owner"), true),
    owner("81000002", "sam.seller@sandbox.example", ("Sam", "Seller"), true),
    owner("81000003", "rita.rep@sandbox.example", ("Rita", "Rep"), true),
    owner("81000004", "hugo.hubspot@sandbox.example", ("Hugo", "HubSpot"), true),
    owner("81000005", "ingo.inactive@sandbox.example", ("Ingo", "Inactive"), false),
];

const fn owner(id: &'static str, email: &'static str, name: (&'static str, &'static str), active: bool) -> Owner {
    Owner { id, email, name, active }
}

/// The default pipeline's stages in order: id, label, probability.
pub const STAGES: [(&str, &str, &str); 7] = [
    ("appointmentscheduled", "Appointment Scheduled", "0.2"),
    ("qualifiedtobuy", "Qualified To Buy", "0.4"),
    ("presentationscheduled", "Presentation Scheduled", "0.6"),
    ("decisionmakerboughtin", "Decision Maker Bought-In", "0.8"),
    ("contractsent", "Contract Sent", "0.9"),
    ("closedwon", "Closed Won", "1.0"),
    ("closedlost", "Closed Lost", "0.0"),
];

/// The lifecycle stages in order; a write may move a record forward only.
pub const LIFECYCLE: [(&str, &str); 8] = [
    ("subscriber", "Subscriber"),
    ("lead", "Lead"),
    ("marketingqualifiedlead", "Marketing Qualified Lead"),
    ("salesqualifiedlead", "Sales Qualified Lead"),
    ("opportunity", "Opportunity"),
    ("customer", "Customer"),
    ("evangelist", "Evangelist"),
    ("other", "Other"),
];

/// The currencies that the portal deals in.
const CURRENCIES: [(&str, &str); 3] = [("USD", "US Dollar"), ("EUR", "Euro"), ("GBP", "British Pound Sterling")];

/// The unique property that holds our external id.
pub fn external_id(object: ObjectType) -> Property {
    Property { unique: true, ..Property::text("syncline_id", "Syncline ID", object.group()) }
}

/// The standard schema of a record type, with the external id.
pub fn schema(object: ObjectType) -> Schema {
    let mut properties = common(object);
    properties.extend(match object {
        ObjectType::Contact => contact(),
        ObjectType::Company => company(),
        ObjectType::Deal => deal(),
        ObjectType::Project => project(),
    });
    for property in &mut properties {
        property.standard = true;
        property.group = object.group().to_owned();
    }
    let own = own(object).into_iter().map(|property| Property { group: object.group().to_owned(), ..property });
    properties.extend(own);
    // Last, so that it can be forgotten as if it had never been.
    properties.push(external_id(object));
    Schema::new(object, properties)
}

fn common(object: ObjectType) -> Vec<Property> {
    let computed = |name, label, kind, computed| Property { computed: Some(computed), ..typed(name, label, kind) };
    let modified = |name, computed_as| computed(name, "Last Modified Date", PropertyType::DateTime, computed_as);
    let mut properties = vec![
        computed("hs_object_id", "Record ID", PropertyType::Number, Computed::Id),
        computed("createdate", "Create Date", PropertyType::DateTime, Computed::Created),
        computed("hs_object_source", "Record source", PropertyType::Text, Computed::Source),
        computed("hs_object_source_id", "Record source ID", PropertyType::Text, Computed::SourceId),
        computed("hs_merged_object_ids", "Merged record IDs", PropertyType::Text, Computed::Merged),
        Property { references_owner: true, ..choices("hubspot_owner_id", "Owner", &[]) },
    ];
    match object {
        ObjectType::Contact => {
            properties.push(modified("lastmodifieddate", Computed::Modified));
            // The trap of the real schema: defined on contacts under the other objects' name, and never filled.
            let trap = modified("hs_lastmodifieddate", Computed::Never);
            properties.push(Property { label: "Object last modified date/time".to_owned(), ..trap });
            properties.push(computed("hs_email_domain", "Email Domain", PropertyType::Text, Computed::EmailDomain));
        }
        _ => properties.push(modified("hs_lastmodifieddate", Computed::Modified)),
    }
    properties
}

/// What an administrator of this portal added.
fn own(object: ObjectType) -> Vec<Property> {
    use PropertyType::{Bool, Date, Number};
    match object {
        ObjectType::Contact => vec![
            Property { field_type: "phonenumber".to_owned(), ..Property::text("home_phone", "Home Phone", "") },
            Property::text("department", "Department", ""),
            typed("do_not_call", "Do not call", Bool),
        ],
        ObjectType::Company => vec![
            Property::text("customer_number", "Customer number", ""),
            typed("customer_since", "Customer since", Date),
            choices(
                "ownership",
                "Ownership",
                &[("public", "Public"), ("private", "Private"), ("subsidiary", "Subsidiary"), ("other", "Other")],
            ),
        ],
        ObjectType::Deal => vec![
            choices(
                "lead_source",
                "Lead source",
                &[("web", "Web"), ("phone", "Phone"), ("partner", "Partner"), ("list", "List"), ("other", "Other")],
            ),
            typed("contract_start", "Contract start", Date),
            typed("contract_months", "Contract months", Number),
            typed("win_chance", "Win chance", Number),
        ],
        ObjectType::Project => Vec::new(),
    }
}

/// The portal's custom object.
fn project() -> Vec<Property> {
    let mut properties = texts(&[("name", "Name"), ("code", "Code")]);
    properties.extend([
        choices("phase", "Phase", &[("planned", "Planned"), ("running", "Running"), ("done", "Done")]),
        typed("budget", "Budget", PropertyType::Number),
        choices("currency", "Currency", &CURRENCIES),
        choices("health", "Health", &[("on_track", "On track"), ("at_risk", "At risk"), ("off_track", "Off track")]),
        typed("start_date", "Start date", PropertyType::Date),
        typed("end_date", "End date", PropertyType::Date),
        typed("billable", "Billable", PropertyType::Bool),
        typed("hours", "Hours", PropertyType::Number),
    ]);
    properties.extend(texts(&[
        ("manager_first", "Manager's first name"),
        ("manager_last", "Manager's last name"),
        ("description", "Description"),
    ]));
    properties
}

fn contact() -> Vec<Property> {
    let mut properties = texts(&[
        ("email", "Email"),
        ("firstname", "First Name"),
        ("lastname", "Last Name"),
        ("phone", "Phone Number"),
        ("mobilephone", "Mobile Phone Number"),
        ("jobtitle", "Job Title"),
        ("company", "Company Name"),
        ("address", "Street Address"),
        ("city", "City"),
        ("state", "State/Region"),
        ("zip", "Postal Code"),
        ("country", "Country/Region"),
        ("website", "Website URL"),
        ("salutation", "Salutation"),
        ("industry", "Industry"),
        ("fax", "Fax Number"),
        ("date_of_birth", "Date of birth"),
        ("hs_linkedin_url", "LinkedIn URL"),
    ]);
    for property in &mut properties {
        property.unique = property.name == "email";
        if property.name.ends_with("phone") {
            property.field_type = "phonenumber".to_owned();
        }
    }
    properties.extend([
        choices("lifecyclestage", "Lifecycle Stage", &LIFECYCLE),
        choices(
            "hs_lead_status",
            "Lead Status",
            &[
                ("NEW", "New"),
                ("OPEN", "Open"),
                ("IN_PROGRESS", "In Progress"),
                ("OPEN_DEAL", "Open Deal"),
                ("UNQUALIFIED", "Unqualified"),
                ("ATTEMPTED_TO_CONTACT", "Attempted to Contact"),
                ("CONNECTED", "Connected"),
                ("BAD_TIMING", "Bad Timing"),
            ],
        ),
        Property {
            field_type: "checkbox".to_owned(),
            ..choices(
                "hs_buying_role",
                "Buying Role",
                &[("BLOCKER", "Blocker"), ("CHAMPION", "Champion"), ("DECISION_MAKER", "Decision Maker")],
            )
        },
        typed("annualrevenue", "Annual Revenue", PropertyType::Number),
        choices(
            "hs_language",
            "Preferred language",
            &[("en", "English"), ("fr", "French"), ("de", "German"), ("es", "Spanish")],
        ),
    ]);
    properties
}

fn company() -> Vec<Property> {
    let mut properties = texts(&[
        ("name", "Company name"),
        ("domain", "Company Domain Name"),
        ("phone", "Phone Number"),
        ("website", "Website URL"),
        ("address", "Street Address"),
        ("city", "City"),
        ("state", "State/Region"),
        ("zip", "Postal Code"),
        ("country", "Country/Region"),
        ("description", "Description"),
        ("founded_year", "Year Founded"),
        ("address2", "Street Address 2"),
        ("linkedin_company_page", "LinkedIn Company Page"),
    ]);
    properties.extend([
        choices(
            "industry",
            "Industry",
            &[
                ("ACCOUNTING", "Accounting"),
                ("BIOTECHNOLOGY", "Biotechnology"),
                ("COMPUTER_SOFTWARE", "Computer Software"),
                ("CONSTRUCTION", "Construction"),
                ("FOOD_BEVERAGES", "Food & Beverages"),
                ("LOGISTICS_AND_SUPPLY_CHAIN", "Logistics and Supply Chain"),
                ("MACHINERY", "Machinery"),
                ("RETAIL", "Retail"),
            ],
        ),
        choices(
            "type",
            "Type",
            &[("PROSPECT", "Prospect"), ("PARTNER", "Partner"), ("RESELLER", "Reseller"), ("VENDOR", "Vendor")],
        ),
        choices("lifecyclestage", "Lifecycle Stage", &LIFECYCLE),
        choices(
            "hs_ideal_customer_profile",
            "Ideal Customer Profile Tier",
            &[("tier_1", "Tier 1"), ("tier_2", "Tier 2"), ("tier_3", "Tier 3")],
        ),
        typed("numberofemployees", "Number of Employees", PropertyType::Number),
        typed("annualrevenue", "Annual Revenue", PropertyType::Number),
    ]);
    properties
}

fn deal() -> Vec<Property> {
    let stages: Vec<_> = STAGES.iter().map(|&(id, label, _)| (id, label)).collect();
    let mut properties = texts(&[
        ("dealname", "Deal Name"),
        ("description", "Deal Description"),
        ("closed_lost_reason", "Closed Lost Reason"),
        ("hs_next_step", "Next Step"),
    ]);
    properties.extend([
        typed("amount", "Amount", PropertyType::Number),
        typed("closedate", "Close Date", PropertyType::DateTime),
        choices("dealstage", "Deal Stage", &stages),
        choices("pipeline", "Pipeline", &[(PIPELINE, "Sales Pipeline")]),
        choices("dealtype", "Deal Type", &[("newbusiness", "New Business"), ("existingbusiness", "Existing Business")]),
        choices("hs_priority", "Priority", &[("low", "Low"), ("medium", "Medium"), ("high", "High")]),
        choices("deal_currency_code", "Currency", &CURRENCIES),
    ]);
    properties
}

fn texts(names: &[(&str, &str)]) -> Vec<Property> {
    names.iter().map(|(name, label)| Property::text(name, label, "")).collect()
}

fn typed(name: &str, label: &str, kind: PropertyType) -> Property {
    let field_type = match kind {
        PropertyType::Text => "text",
        PropertyType::Phone => "phonenumber",
        PropertyType::Number => "number",
        PropertyType::Bool => "booleancheckbox",
        PropertyType::Enumeration => "select",
        PropertyType::Date | PropertyType::DateTime => "date",
    };
    Property { kind, field_type: field_type.to_owned(), ..Property::text(name, label, "") }
}

fn choices(name: &str, label: &str, options: &[(&str, &str)]) -> Property {
    let options =
        options.iter().map(|&(value, label)| Choice { value: value.to_owned(), label: label.to_owned() }).collect();
    Property { options, ..typed(name, label, PropertyType::Enumeration) }
}
