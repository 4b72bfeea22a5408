use super::*;
use crate::cli::Output;
use crate::cli::error::Blame;

const CONFIG: &str = r#"
[systems.hubspot]
token = "env:NONE"

[systems.salesforce]
url = "https://a.example"
token = "env:NONE"

[entities.person]
match = ["email"]
at.hubspot = { object = "contacts" }
at.salesforce = { object = ["Contact", "Lead"], create_as = "Contact", on_create = { LeadSource = "Web" } }

[entities.person.fields]
email = { type = "email", hubspot = "email", salesforce = "Email" }
lastname = { type = "text", hubspot = "lastname", salesforce = "LastName" }
title = { type = "text", hubspot = "jobtitle", salesforce = "Title", direction = "from salesforce" }
city = { type = "text", hubspot = "city", salesforce = { Contact = "MailingCity", Lead = "City" } }
company = { type = "text", hubspot = "company", salesforce = { Lead = "Company" } }
status = { type = "enum", hubspot = "hs_lead_status", salesforce = { Lead = "Status" } }

[entities.deal]
match = ["name"]
create = false
at.hubspot = { object = "deals" }
at.salesforce = { object = "Opportunity", external_id = false }

[entities.deal.fields]
name = { type = "text", hubspot = "dealname", salesforce = "Name" }
amount = { type = "money", hubspot = "amount", salesforce = "Amount", direction = "from salesforce" }
"#;

/// Elements as `path=text`, in the order of the document. Whatever is not closed in its turn panics.
fn parsed(xml: &str) -> Vec<String> {
    let body = xml.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>").expect("a declaration");
    let (mut path, mut found, mut rest) = (Vec::<String>::new(), Vec::new(), body);
    while let Some(at) = rest.find('<') {
        let text = rest[..at].trim();
        if !text.is_empty() {
            assert!(!text.contains('&') || text.contains("&amp;"), "{text}");
            found.push(format!("{}={text}", path[1..].join("/")));
        }
        let end = at + rest[at..].find('>').expect("a tag ends");
        let tag = &rest[at + 1..end];
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(path.pop().as_deref(), Some(name), "{xml}"),
            None => path.push(tag.split_whitespace().next().expect("a name").to_owned()),
        }
        rest = &rest[end + 1..];
    }
    assert!(path.is_empty() && rest.trim().is_empty(), "{xml}");
    found
}

fn written(config: &str) -> (tempfile::TempDir, Context) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.toml");
    std::fs::write(&file, config).unwrap();
    let context = Context { config: file, profile: None, output: Output { json: true } };
    assert_eq!(run(&folder.path().join("out"), &context), Ok(Exit::Equal));
    (folder, context)
}

fn read(folder: &tempfile::TempDir, name: &str) -> Vec<String> {
    parsed(
        &std::fs::read_to_string(folder.path().join("out").join(name))
            .unwrap_or_else(|error| panic!("{name}: {error}")),
    )
}

#[test]
fn the_package_names_what_is_beside_it() {
    let (folder, _) = written(CONFIG);
    let expected = [
        "types/members=Contact.Syncline_Id__c",
        "types/members=Lead.Syncline_Id__c",
        "types/name=CustomField",
        "types/members=Syncline",
        "types/name=PermissionSet",
        "version=61.0",
    ];
    assert_eq!(read(&folder, "package.xml"), expected);
    for object in ["Contact", "Lead"] {
        let field = read(&folder, &format!("objects/{object}.object"));
        for part in [
            "fullName=Syncline_Id__c",
            "externalId=true",
            "unique=true",
            "caseSensitive=true",
            "type=Text",
            "length=64",
            "required=false",
            "label=Syncline Id",
        ] {
            assert!(field.contains(&format!("fields/{part}")), "{part} in {field:?}");
        }
    }
    assert!(!folder.path().join("out/objects/Opportunity.object").exists(), "it has no external id");
}

#[test]
fn the_permission_set_grants_what_is_mapped_and_no_more() {
    let (folder, _) = written(CONFIG);
    let set = read(&folder, "permissionsets/Syncline.permissionset");
    let grouped = |prefix: &str, key: &str, size: usize| -> Vec<String> {
        let lines: Vec<&str> = set.iter().filter_map(|line| line.strip_prefix(prefix)).collect();
        let mut told: Vec<String> = lines
            .chunks(size)
            .map(|part| {
                let of = part.iter().find_map(|line| line.strip_prefix(key)).expect("a name");
                let granted: Vec<&str> = part.iter().filter_map(|line| line.strip_suffix("=true")).collect();
                format!("{of}: {}", granted.join(" "))
            })
            .collect();
        told.sort();
        told
    };
    assert_eq!(
        grouped("fieldPermissions/", "field=", 3),
        [
            "Contact.Email: editable readable",
            "Contact.LeadSource: editable readable",
            "Contact.MailingAddress: editable readable",
            "Contact.Syncline_Id__c: editable readable",
            "Contact.Title: readable",
            "Lead.Address: editable readable",
            "Lead.Email: editable readable",
            "Lead.Syncline_Id__c: readable",
            "Lead.Title: readable",
            "Opportunity.Amount: readable",
        ]
    );
    assert_eq!(
        grouped("objectPermissions/", "object=", 7),
        [
            "Contact: allowCreate allowEdit allowRead viewAllRecords",
            "Lead: allowEdit allowRead viewAllRecords",
            "Opportunity: allowEdit allowRead viewAllRecords",
        ]
    );
}

#[test]
fn where_nothing_is_written_nothing_may_be_edited() {
    let config = CONFIG.replace("url = \"https://a.example\"", "url = \"https://a.example\"\nmode = \"read\"");
    let config = config
        .replace("match = [\"email\"]", "match = [\"email\"]\ncreate = [\"hubspot\"]")
        .replace(", on_create = { LeadSource = \"Web\" }", "")
        .replace(", create_as = \"Contact\"", "");
    let (folder, _) = written(&config);
    let set = read(&folder, "permissionsets/Syncline.permissionset");
    let rights = ["editable=true", "allowCreate=true", "allowEdit=true", "allowDelete=true", "modifyAllRecords=true"];
    assert!(!set.iter().any(|line| rights.iter().any(|right| line.ends_with(right))), "{set:?}");
}

#[test]
fn nothing_is_overwritten() {
    let (folder, context) = written(CONFIG);
    let out = folder.path().join("out");
    let before = std::fs::read(out.join("package.xml")).unwrap();
    std::fs::remove_file(out.join("objects/Lead.object")).unwrap();
    let error = run(&out, &context).unwrap_err();
    assert_eq!((error.code, error.blame), ("exists", Blame::Usage));
    assert_eq!(std::fs::read(out.join("package.xml")).unwrap(), before);
    assert!(!out.join("objects/Lead.object").exists(), "all or none");
}

#[test]
fn names_are_escaped() {
    let mut xml = Xml::new("A");
    xml.leaf("b", "x < y & z");
    assert_eq!(parsed(&xml.end("A")), ["b=x &lt; y &amp; z"]);
}

#[test]
fn the_right_to_delete_is_granted_only_where_deletes_arrive() {
    let (folder, _) = written(&CONFIG.replace("\"contacts\" }", "\"contacts\", on_delete = \"propagate\" }"));
    let set = read(&folder, "permissionsets/Syncline.permissionset");
    let lines: Vec<&str> = set.iter().filter_map(|line| line.strip_prefix("objectPermissions/")).collect();
    let may = lines.chunks(7).filter(|object| object.contains(&"allowDelete=true"));
    let may: Vec<&str> = may.filter_map(|object| object.iter().find_map(|line| line.strip_prefix("object="))).collect();
    assert_eq!(may, ["Contact", "Lead"]);
}
