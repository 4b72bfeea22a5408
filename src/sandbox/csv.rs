//! Records from CSV files, as both systems export them.
//!
//! A header is a property's API name or label, in any letter case; a column that is neither becomes a text property. A
//! column `Id` or `Record ID` gives the ids; without one they are minted. An empty cell was never set.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::system::Furnish;

/// How one system's files are laid out.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// File names and the objects they hold, in the order they are read.
    pub files: &'static [(&'static str, &'static str)],
    /// The property that holds a record's id.
    pub id_property: &'static str,
    /// The API name of the property made for an unknown column.
    pub custom_name: fn(&str) -> String,
}

/// HubSpot's files.
pub const HUBSPOT: Layout = Layout {
    files: &[("companies.csv", "companies"), ("contacts.csv", "contacts"), ("deals.csv", "deals")],
    id_property: "hs_object_id",
    custom_name: |header| slug(header).to_lowercase(),
};

/// Salesforce's files.
pub const SALESFORCE: Layout = Layout {
    files: &[("Account.csv", "Account"), ("Contact.csv", "Contact"), ("Opportunity.csv", "Opportunity")],
    id_property: "Id",
    custom_name: |header| if header.ends_with("__c") { header.to_owned() } else { format!("{}__c", slug(header)) },
};

/// What kept a file from being read.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// There is none of the files.
    #[error("{} holds none of {files}", .dir.display())]
    NoFiles {
        /// The folder looked into.
        dir: PathBuf,
        /// The names looked for.
        files: String,
    },
    /// A file or one of its lines is bad.
    #[error("{}, line {line}: {cause}", .file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1, the header's among them.
        line: u64,
        /// What is wrong there.
        cause: String,
    },
}

/// Reads all files of a folder that the layout knows into a world. Returns the number of records.
pub fn load(world: &mut dyn Furnish, dir: &Path, layout: Layout, created_ms: i64) -> Result<usize, CsvError> {
    let present: Vec<_> =
        layout.files.iter().map(|(file, object)| (dir.join(file), *object)).filter(|(path, _)| path.exists()).collect();
    if present.is_empty() {
        let files = layout.files.iter().map(|(file, _)| *file).collect::<Vec<_>>().join(", ");
        return Err(CsvError::NoFiles { dir: dir.to_owned(), files });
    }
    let mut records = 0;
    for (path, object) in present {
        records += load_file(world, &path, object, layout, created_ms)?;
    }
    Ok(records)
}

fn load_file(
    world: &mut dyn Furnish,
    path: &Path,
    object: &str,
    layout: Layout,
    created_ms: i64,
) -> Result<usize, CsvError> {
    let refuse = |line: u64, cause: String| CsvError::Line { file: path.to_owned(), line, cause };
    let mut reader = csv::Reader::from_path(path).map_err(|error| refuse(1, error.to_string()))?;
    let headers = reader.headers().map_err(|error| refuse(1, error.to_string()))?.clone();
    let mut columns = Vec::new();
    for header in &headers {
        let header = header.trim_start_matches('\u{feff}').trim();
        if header.is_empty() {
            return Err(refuse(1, "a column has no name".to_owned()));
        }
        columns.push(column(world, object, header, layout));
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = columns.iter().find(|name| !seen.insert(name.as_str())) {
        return Err(refuse(1, format!("two columns are {twice}")));
    }
    let mut records = 0;
    for row in reader.records() {
        let row = row.map_err(|error| {
            refuse(error.position().map_or(records as u64 + 2, csv::Position::line), error.to_string())
        })?;
        let line = row.position().map_or(records as u64 + 2, csv::Position::line);
        let cells = columns.iter().zip(&row).filter(|(_, cell)| !cell.trim().is_empty());
        let fields = cells.map(|(name, cell)| (name.clone(), cell.to_owned())).collect();
        world.insert(object, fields, created_ms).map_err(|cause| refuse(line, cause))?;
        records += 1;
    }
    Ok(records)
}

/// The property that a header means, made if there is none.
fn column(world: &mut dyn Furnish, object: &str, header: &str, layout: Layout) -> String {
    if header.eq_ignore_ascii_case("id") || header.eq_ignore_ascii_case("record id") {
        return layout.id_property.to_owned();
    }
    let known = world.properties(object);
    let named = known.iter().find(|(name, _)| name.eq_ignore_ascii_case(header));
    let labelled = || known.iter().find(|(_, label)| label.to_lowercase() == header.to_lowercase());
    if let Some((name, _)) = named.or_else(labelled) {
        return name.clone();
    }
    let name = (layout.custom_name)(header);
    if !known.iter().any(|(known, _)| *known == name) {
        world.add_text_field(object, &name, header);
    }
    name
}

/// Letters, digits and single underscores, beginning with a letter.
fn slug(header: &str) -> String {
    let mut slug = String::new();
    for letter in header.chars() {
        if letter.is_ascii_alphanumeric() {
            slug.push(letter);
        } else if !slug.is_empty() && !slug.ends_with('_') {
            slug.push('_');
        }
    }
    let slug = slug.trim_end_matches('_');
    if slug.starts_with(|letter: char| letter.is_ascii_alphabetic()) { slug.to_owned() } else { format!("x_{slug}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::http::Request;
    use crate::sandbox::hubspot::HubSpotWorld;
    use crate::sandbox::tokens::Tokens;

    fn world() -> HubSpotWorld {
        HubSpotWorld::new(Tokens::derive("hubspot", 1), 1)
    }

    fn load_text(file: &str, text: &str) -> Result<(HubSpotWorld, usize), String> {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join(file), text).expect("a file");
        let mut world = world();
        let records = load(&mut world, dir.path(), HUBSPOT, 1_700_000_000_000)
            .map_err(|error| error.to_string().replace(&format!("{}/", dir.path().display()), ""))?;
        Ok((world, records))
    }

    fn read(world: &mut HubSpotWorld, path: &str, query: &str) -> serde_json::Value {
        let token = format!("Bearer {}", Tokens::derive("hubspot", 1).user_token);
        let request = Request {
            method: "GET".into(),
            path: path.into(),
            query: query.into(),
            headers: vec![("authorization".into(), token)],
            body: Vec::new(),
        };
        serde_json::from_slice(&world.handle(&request, 1_790_000_000_000).body).expect("JSON")
    }

    #[test]
    fn labels_names_and_unknown_columns_are_taken() {
        let text = "\u{feff}Record ID,First Name,EMAIL,Lifecycle Stage,Shoe size,Create Date\n\
                    70000000001,Ada,Ada@Example.com,Customer,38,2024-05-01 10:30\n";
        let (mut world, records) = load_text("contacts.csv", text).expect("good");
        assert_eq!(records, 1);
        let query = "properties=firstname,email,lifecyclestage,shoe_size";
        let shown = read(&mut world, "/crm/objects/2026-03/contacts/70000000001", query);
        assert_eq!(shown["properties"]["firstname"], "Ada");
        assert_eq!(shown["properties"]["email"], "ada@example.com");
        assert_eq!(shown["properties"]["lifecyclestage"], "customer");
        assert_eq!(shown["properties"]["shoe_size"], "38");
        assert_eq!(shown["createdAt"], "2024-05-01T10:30:00Z");
    }

    #[test]
    fn errors_say_file_line_and_cause() {
        let check = |file: &str, text: &str, expected: &str| {
            let error = load_text(file, text).err().unwrap_or_default();
            assert!(error.contains(expected), "{error}");
        };
        check(
            "deals.csv",
            "Deal Name,Amount\nOne,5\nTwo,many\n",
            "deals.csv, line 3: amount: many was not a valid number",
        );
        check("contacts.csv", "Email\na@b.com\nA@b.com\n", "contacts.csv, line 3: Contact already exists");
        check("contacts.csv", "Email,Last Name\na@b.com\n", "contacts.csv, line 2: ");
        check("contacts.csv", "Email,email\n", "contacts.csv, line 1: two columns are email");
        check("contacts.csv", "Id,Email\nx,a@b.com\n", "contacts.csv, line 2: the id x is not a number");
        check("people.csv", "Email\n", "holds none of companies.csv, contacts.csv, deals.csv");
    }

    #[test]
    fn headers_become_names() {
        assert_eq!((HUBSPOT.custom_name)("2nd  Phone (home)"), "x_2nd_phone_home");
        assert_eq!((SALESFORCE.custom_name)("Shoe size"), "Shoe_size__c");
        assert_eq!((SALESFORCE.custom_name)("Shoe__c"), "Shoe__c");
    }
}
