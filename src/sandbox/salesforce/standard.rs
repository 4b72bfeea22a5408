//! The schema a new org has: people, leads, companies, deals and users, and one custom object.

use super::schema::{Field, Kind, Object};

/// The external id both sides of a sync can agree on.
pub const EXTERNAL_ID: &str = "Syncline_Id__c";

/// All objects.
pub fn objects() -> Vec<Object> {
    vec![account(), contact(), opportunity(), user(), lead(), project()]
}

/// The probability, in percent, that a stage brings along.
pub fn stage_probability(stage: &str) -> Option<i64> {
    STAGES.iter().zip(STAGE_PROBABILITIES).find(|(name, _)| **name == stage).map(|(_, probability)| probability)
}

fn contact() -> Object {
    let mut fields = system_fields();
    fields.extend([
        Field::reference("MasterRecordId", "Master Record ID", "Contact", "MasterRecord").read_only(),
        Field::reference("AccountId", "Account ID", "Account", "Account"),
        Field::reference("OwnerId", "Owner ID", "User", "Owner").defaulted(),
        Field::text("LastName", "Last Name", 80).required().part_of("Name"),
        Field::text("FirstName", "First Name", 40).part_of("Name"),
        Field { nillable: false, ..Field::text("Name", "Full Name", 121).read_only().naming() },
        Field::lettered("Email", "Email", Kind::Email, 80).lookup(),
        Field::lettered("Phone", "Business Phone", Kind::Phone, 40),
        Field::lettered("MobilePhone", "Mobile Phone", Kind::Phone, 40),
        Field::lettered("HomePhone", "Home Phone", Kind::Phone, 40),
        Field::text("Title", "Title", 128),
        Field::text("Department", "Department", 80),
        Field::picklist("LeadSource", "Lead Source", LEAD_SOURCES, false),
        Field::new("Birthdate", "Birthdate", Kind::Date),
        Field::lettered("Description", "Contact Description", Kind::TextArea, 32_000),
    ]);
    fields.extend(address("Mailing"));
    fields.push(Field::external_key(EXTERNAL_ID, "Syncline Id"));
    Object::new("Contact", "Contacts", "003", fields)
}

fn lead() -> Object {
    let converted = |name, label, object, relationship| Field::reference(name, label, object, relationship).read_only();
    let mut fields = system_fields();
    fields.extend([
        Field::reference("MasterRecordId", "Master Record ID", "Lead", "MasterRecord").read_only(),
        Field::reference("OwnerId", "Owner ID", "User", "Owner").defaulted(),
        Field::text("LastName", "Last Name", 80).required().part_of("Name"),
        Field::text("FirstName", "First Name", 40).part_of("Name"),
        Field { nillable: false, ..Field::text("Name", "Full Name", 121).read_only().naming() },
        Field::text("Company", "Company", 255).required(),
        Field::lettered("Email", "Email", Kind::Email, 80).lookup(),
        Field::lettered("Phone", "Phone", Kind::Phone, 40),
        Field::lettered("MobilePhone", "Mobile Phone", Kind::Phone, 40),
        Field::text("Title", "Title", 128),
        Field::picklist("Status", "Lead Status", LEAD_STATUSES, false),
        Field::picklist("LeadSource", "Lead Source", LEAD_SOURCES, false),
        Field::picklist("Industry", "Industry", INDUSTRIES, false),
        Field::new("IsConverted", "Converted", Kind::Boolean).read_only(),
        Field::new("ConvertedDate", "Converted Date", Kind::Date).read_only(),
        converted("ConvertedAccountId", "Converted Account ID", "Account", "ConvertedAccount"),
        converted("ConvertedContactId", "Converted Contact ID", "Contact", "ConvertedContact"),
        converted("ConvertedOpportunityId", "Converted Opportunity ID", "Opportunity", "ConvertedOpportunity"),
        Field::lettered("Description", "Description", Kind::TextArea, 32_000),
    ]);
    fields.extend(address(""));
    fields.push(Field::external_key(EXTERNAL_ID, "Syncline Id"));
    Object::new("Lead", "Leads", "00Q", fields)
}

/// The org's custom object.
fn project() -> Object {
    let custom = |field: Field| Field { custom: true, ..field };
    let mut fields = system_fields();
    fields.extend([
        Field::reference("OwnerId", "Owner ID", "User", "Owner").defaulted(),
        Field::text("Name", "Project Name", 80).required().naming(),
        custom(Field::text("Code__c", "Code", 40)),
        custom(Field::picklist("Phase__c", "Phase", &["Planned", "Running", "Done"], false)),
        custom(Field::number("Budget__c", "Budget", Kind::Currency, 18, 2)),
        Field::external_key(EXTERNAL_ID, "Syncline Id"),
    ]);
    Object::new("Project__c", "Projects", "a00", fields)
}

fn account() -> Object {
    let mut fields = system_fields();
    fields.extend([
        Field::reference("MasterRecordId", "Master Record ID", "Account", "MasterRecord").read_only(),
        Field::reference("ParentId", "Parent Account ID", "Account", "Parent"),
        Field::reference("OwnerId", "Owner ID", "User", "Owner").defaulted(),
        Field::text("Name", "Account Name", 255).required().naming().lookup().part_of("Name"),
        Field::lettered("Website", "Website", Kind::Url, 255),
        Field::lettered("Phone", "Account Phone", Kind::Phone, 40),
        Field::picklist("Industry", "Industry", INDUSTRIES, false),
        Field::picklist("Type", "Account Type", ACCOUNT_TYPES, false),
        Field::number("NumberOfEmployees", "Employees", Kind::Int, 8, 0),
        Field::number("AnnualRevenue", "Annual Revenue", Kind::Currency, 18, 0),
        Field::lettered("Description", "Account Description", Kind::TextArea, 32_000),
    ]);
    fields.extend(address("Billing"));
    fields.push(Field::external_key(EXTERNAL_ID, "Syncline Id"));
    Object::new("Account", "Accounts", "001", fields)
}

fn opportunity() -> Object {
    let mut fields = system_fields();
    fields.extend([
        Field::reference("AccountId", "Account ID", "Account", "Account"),
        Field::reference("OwnerId", "Owner ID", "User", "Owner").defaulted(),
        Field::text("Name", "Name", 120).required().naming(),
        // Restricted here so that a wrong value map is noticed; whether a given org restricts it, its describe says.
        Field::picklist("StageName", "Stage", STAGES, true).required(),
        Field::new("CloseDate", "Close Date", Kind::Date).required(),
        Field::number("Amount", "Amount", Kind::Currency, 18, 2),
        Field { defaulted: true, ..Field::number("Probability", "Probability (%)", Kind::Percent, 3, 0) },
        Field::picklist("Type", "Opportunity Type", OPPORTUNITY_TYPES, false),
        Field::picklist("LeadSource", "Lead Source", LEAD_SOURCES, false),
        Field::text("NextStep", "Next Step", 255),
        Field::new("IsClosed", "Closed", Kind::Boolean).read_only(),
        Field::new("IsWon", "Won", Kind::Boolean).read_only(),
        Field::lettered("Description", "Description", Kind::TextArea, 32_000),
        Field::external_key(EXTERNAL_ID, "Syncline Id"),
    ]);
    Object::new("Opportunity", "Opportunities", "006", fields)
}

/// Users are read, never written, through this API. (A real `User` has no `IsDeleted`; here every object has one.)
fn user() -> Object {
    let mut fields = system_fields();
    fields.extend([
        Field { unique: true, ..Field::text("Username", "Username", 80).required().lookup() },
        Field::text("LastName", "Last Name", 80).required().part_of("Name"),
        Field::text("FirstName", "First Name", 40).part_of("Name"),
        Field { nillable: false, ..Field::text("Name", "Full Name", 121).read_only().naming() },
        Field::lettered("Email", "Email", Kind::Email, 128).required().lookup(),
        Field::new("IsActive", "Active", Kind::Boolean),
    ]);
    Object::new("User", "Users", "005", fields).read_only()
}

/// In the order of [`super::schema::column`].
fn system_fields() -> Vec<Field> {
    let stamp = |name, label| Field::new(name, label, Kind::DateTime).defaulted().read_only();
    let by = |name, label, relationship| Field::reference(name, label, "User", relationship).defaulted().read_only();
    vec![
        Field { length: 18, indexed: false, id_lookup: true, ..Field::new("Id", "Record ID", Kind::Id) }
            .defaulted()
            .read_only(),
        Field::new("IsDeleted", "Deleted", Kind::Boolean).read_only(),
        stamp("CreatedDate", "Created Date"),
        Field { indexed: false, ..by("CreatedById", "Created By ID", "CreatedBy") },
        stamp("LastModifiedDate", "Last Modified Date"),
        Field { indexed: false, ..by("LastModifiedById", "Last Modified By ID", "LastModifiedBy") },
        stamp("SystemModstamp", "System Modstamp"),
    ]
}

fn address(name: &'static str) -> Vec<Field> {
    let compound = match name {
        "Mailing" => "MailingAddress",
        "Billing" => "BillingAddress",
        _ => "Address",
    };
    let part = |end: &str, label: &str, kind, length| {
        let label = format!("{name} {label}");
        Field::lettered(&format!("{name}{end}"), label.trim_start(), kind, length).part_of(compound)
    };
    vec![
        part("Street", "Street", Kind::TextArea, 255),
        part("City", "City", Kind::String, 40),
        part("State", "State/Province", Kind::String, 80),
        part("PostalCode", "Zip/Postal Code", Kind::String, 20),
        part("Country", "Country", Kind::String, 80),
        Field::new(compound, format!("{name} Address").trim_start(), Kind::Address).read_only(),
    ]
}

const STAGES: &[&str] = &[
    "Prospecting",
    "Qualification",
    "Needs Analysis",
    "Value Proposition",
    "Id. Decision Makers",
    "Perception Analysis",
    "Proposal/Price Quote",
    "Negotiation/Review",
    "Closed Won",
    "Closed Lost",
];

const STAGE_PROBABILITIES: [i64; 10] = [10, 10, 20, 50, 60, 70, 75, 90, 100, 0];

const LEAD_STATUSES: &[&str] =
    &["Open - Not Contacted", "Working - Contacted", "Closed - Converted", "Closed - Not Converted"];

const LEAD_SOURCES: &[&str] = &["Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other"];

const ACCOUNT_TYPES: &[&str] = &["Prospect", "Customer - Direct", "Customer - Channel", "Technology Partner", "Other"];

const OPPORTUNITY_TYPES: &[&str] = &[
    "Existing Customer - Upgrade",
    "Existing Customer - Replacement",
    "Existing Customer - Downgrade",
    "New Customer",
];

const INDUSTRIES: &[&str] = &[
    "Agriculture",
    "Apparel",
    "Banking",
    "Biotechnology",
    "Chemicals",
    "Communications",
    "Construction",
    "Consulting",
    "Education",
    "Electronics",
    "Energy",
    "Engineering",
    "Entertainment",
    "Environmental",
    "Finance",
    "Food & Beverage",
    "Government",
    "Healthcare",
    "Hospitality",
    "Insurance",
    "Machinery",
    "Manufacturing",
    "Media",
    "Not For Profit",
    "Recreation",
    "Retail",
    "Shipping",
    "Technology",
    "Telecommunications",
    "Transportation",
    "Utilities",
    "Other",
];
