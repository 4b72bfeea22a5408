//! The schema a new org has: people, leads, companies, deals and users, and one custom object.

use super::schema::{Field, Kind, Object};

/// The external id both sides of a sync can agree on.
pub const EXTERNAL_ID: &str = "Syncline_Id__c";

/// The currency of a row.
pub const CURRENCY: &str = "CurrencyIsoCode";

/// What a row's currency is where nobody says.
pub const ORG_CURRENCY: &str = "USD";

/// All objects.
pub fn objects() -> Vec<Object> {
    vec![account(), contact(), opportunity(), user(), lead(), project(), opportunity_contact_role()]
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
        Field::picklist("Salutation", "Salutation", SALUTATIONS, false).part_of("Name"),
        Field { nillable: false, ..Field::text("Name", "Full Name", 121).read_only().naming() },
        Field::lettered("Email", "Email", Kind::Email, 80).lookup(),
        Field::lettered("Phone", "Business Phone", Kind::Phone, 40),
        Field::lettered("MobilePhone", "Mobile Phone", Kind::Phone, 40),
        Field::lettered("HomePhone", "Home Phone", Kind::Phone, 40),
        Field::lettered("OtherPhone", "Other Phone", Kind::Phone, 40),
        Field::lettered("Fax", "Business Fax", Kind::Phone, 40),
        Field::text("AssistantName", "Assistant's Name", 40),
        Field::lettered("AssistantPhone", "Asst. Phone", Kind::Phone, 40),
        Field::reference("ReportsToId", "Reports To ID", "Contact", "ReportsTo"),
        Field::new("HasOptedOutOfEmail", "Email Opt Out", Kind::Boolean),
        Field::new("DoNotCall", "Do Not Call", Kind::Boolean),
        Field::text("Title", "Title", 128),
        Field::text("Department", "Department", 80),
        Field::picklist("LeadSource", "Lead Source", LEAD_SOURCES, false),
        Field::new("Birthdate", "Birthdate", Kind::Date),
        Field::lettered("Description", "Contact Description", Kind::TextArea, 32_000),
    ]);
    fields.extend(address("Mailing"));
    fields.extend(person_of_ours());
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
        Field::picklist("Salutation", "Salutation", SALUTATIONS, false).part_of("Name"),
        Field { nillable: false, ..Field::text("Name", "Full Name", 121).read_only().naming() },
        Field::text("Company", "Company", 255).required(),
        Field::lettered("Email", "Email", Kind::Email, 80).lookup(),
        Field::lettered("Phone", "Phone", Kind::Phone, 40),
        Field::lettered("MobilePhone", "Mobile Phone", Kind::Phone, 40),
        Field::lettered("Fax", "Fax", Kind::Phone, 40),
        Field::lettered("Website", "Website", Kind::Url, 255),
        Field::picklist("Rating", "Rating", RATINGS, false),
        Field::number("NumberOfEmployees", "Employees", Kind::Int, 8, 0),
        Field::number("AnnualRevenue", "Annual Revenue", Kind::Currency, 18, 0),
        Field::new("HasOptedOutOfEmail", "Email Opt Out", Kind::Boolean),
        Field::new("DoNotCall", "Do Not Call", Kind::Boolean),
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
    fields.extend(person_of_ours());
    fields.push(Field::external_key(EXTERNAL_ID, "Syncline Id"));
    Object::new("Lead", "Leads", "00Q", fields)
}

/// What an administrator of this org added to contacts and leads.
fn person_of_ours() -> [Field; 4] {
    [
        custom(Field::picklist("Language__c", "Language", &["English", "French", "German", "Spanish"], false)),
        custom(Field::lettered("LinkedIn__c", "LinkedIn", Kind::Url, 255)),
        custom(Field::picklist("Lifecycle_Stage__c", "Lifecycle Stage", LIFECYCLE, true)),
        custom(Field::new("First_Seen__c", "First Seen", Kind::DateTime)),
    ]
}

fn custom(field: Field) -> Field {
    Field { custom: true, ..field }
}

/// The currency of a row, in an org that has several; the org's own unless told.
fn currency() -> Field {
    Field::picklist(CURRENCY, "Currency ISO Code", &["USD", "EUR", "GBP"], true).defaulted()
}

/// The org's custom object.
fn project() -> Object {
    let mut fields = system_fields();
    fields.extend([
        Field::reference("OwnerId", "Owner ID", "User", "Owner").defaulted(),
        Field::text("Name", "Project Name", 80).required().naming(),
        custom(Field::text("Code__c", "Code", 40)),
        custom(Field::picklist("Phase__c", "Phase", &["Planned", "Running", "Done"], false)),
        custom(Field::number("Budget__c", "Budget", Kind::Currency, 18, 2)),
        currency(),
        custom(Field::picklist("Health__c", "Health", &["Green", "Yellow", "Red"], true)),
        custom(Field::new("Start_Date__c", "Start Date", Kind::Date)),
        custom(Field::new("End_Date__c", "End Date", Kind::Date)),
        custom(Field::text("Manager__c", "Manager", 121)),
        custom(Field::new("Billable__c", "Billable", Kind::Boolean)),
        custom(Field::number("Hours__c", "Hours", Kind::Double, 8, 2)),
        custom(Field::lettered("Description__c", "Description", Kind::TextArea, 32_000)),
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
        Field::lettered("Fax", "Account Fax", Kind::Phone, 40),
        Field::text("AccountNumber", "Account Number", 40),
        Field::picklist("Rating", "Account Rating", RATINGS, false),
        Field::picklist("Ownership", "Ownership", &["Public", "Private", "Subsidiary", "Other"], false),
        Field::text("TickerSymbol", "Ticker Symbol", 20),
        Field::text("Site", "Account Site", 80),
        Field::picklist("Industry", "Industry", INDUSTRIES, false),
        Field::picklist("Type", "Account Type", ACCOUNT_TYPES, false),
        Field::number("NumberOfEmployees", "Employees", Kind::Int, 8, 0),
        Field::number("AnnualRevenue", "Annual Revenue", Kind::Currency, 18, 0),
        Field::lettered("Description", "Account Description", Kind::TextArea, 32_000),
    ]);
    fields.extend(address("Billing"));
    fields.extend(address("Shipping"));
    fields.extend([
        custom(Field::text("Founded__c", "Founded", 4)),
        custom(Field::new("Customer_Since__c", "Customer Since", Kind::Date)),
        custom(Field::lettered("LinkedIn__c", "LinkedIn", Kind::Url, 255)),
        custom(Field::picklist("Lifecycle_Stage__c", "Lifecycle Stage", LIFECYCLE, true)),
    ]);
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
        currency(),
        Field { defaulted: true, ..Field::number("Probability", "Probability (%)", Kind::Percent, 3, 0) },
        Field::picklist("Type", "Opportunity Type", OPPORTUNITY_TYPES, false),
        Field::picklist("LeadSource", "Lead Source", LEAD_SOURCES, false),
        Field::text("NextStep", "Next Step", 255),
        Field::new("IsClosed", "Closed", Kind::Boolean).read_only(),
        Field::new("IsWon", "Won", Kind::Boolean).read_only(),
        Field::lettered("Description", "Description", Kind::TextArea, 32_000),
        custom(Field::picklist("Priority__c", "Priority", &["Low", "Medium", "High"], true)),
        custom(Field::lettered("Loss_Reason__c", "Loss Reason", Kind::TextArea, 255)),
        custom(Field::new("Contract_Start__c", "Contract Start", Kind::Date)),
        custom(Field::number("Contract_Months__c", "Contract Months", Kind::Double, 3, 0)),
        Field::external_key(EXTERNAL_ID, "Syncline Id"),
    ]);
    Object::new("Opportunity", "Opportunities", "006", fields)
}

/// Who has a part in an opportunity. Nothing forbids two equal rows.
fn opportunity_contact_role() -> Object {
    let fixed = |field: Field| Field { updateable: false, ..field.required() };
    let mut fields = system_fields();
    fields.extend([
        fixed(Field::reference("OpportunityId", "Opportunity ID", "Opportunity", "Opportunity")),
        fixed(Field::reference("ContactId", "Contact ID", "Contact", "Contact")),
        Field::picklist("Role", "Role", CONTACT_ROLES, false),
        Field::new("IsPrimary", "Primary", Kind::Boolean),
    ]);
    Object::new("OpportunityContactRole", "Opportunity Contact Roles", "00K", fields)
}

const CONTACT_ROLES: &[&str] =
    &["Business User", "Decision Maker", "Economic Buyer", "Evaluator", "Influencer", "Other"];

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
        "Shipping" => "ShippingAddress",
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

const SALUTATIONS: &[&str] = &["Mr.", "Ms.", "Mrs.", "Dr.", "Prof."];

const RATINGS: &[&str] = &["Hot", "Warm", "Cold"];

const LIFECYCLE: &[&str] = &["Subscriber", "Lead", "MQL", "SQL", "Opportunity", "Customer", "Evangelist", "Other"];

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
