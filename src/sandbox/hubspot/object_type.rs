//! The record types that the emulated portal holds.

/// A record type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectType {
    /// `0-1`.
    Contact,
    /// `0-2`.
    Company,
    /// `0-3`.
    Deal,
    /// `2-7001`: the custom object of this portal, `p_project`.
    Project,
}

impl ObjectType {
    /// Every type, in the order of their ids.
    pub const ALL: [Self; 4] = [Self::Contact, Self::Company, Self::Deal, Self::Project];

    /// Reads any of the accepted names: `contacts`, `contact`, `CONTACT`, `0-1`.
    pub fn parse(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "contacts" | "contact" | "0-1" => Some(Self::Contact),
            "companies" | "company" | "0-2" => Some(Self::Company),
            "deals" | "deal" | "0-3" => Some(Self::Deal),
            "p_project" | "2-7001" => Some(Self::Project),
            _ => None,
        }
    }

    /// Its place in a list of all types.
    pub fn index(self) -> usize {
        self as usize
    }

    /// `CONTACT`, as in error messages.
    pub fn upper(self) -> &'static str {
        ["CONTACT", "COMPANY", "DEAL", "2-7001"][self.index()]
    }

    /// `Contact`, as in error messages.
    pub fn title(self) -> &'static str {
        ["Contact", "Company", "Deal", "Project"][self.index()]
    }

    /// `0-1`.
    pub fn type_id(self) -> &'static str {
        ["0-1", "0-2", "0-3", "2-7001"][self.index()]
    }

    /// The group that standard properties are in.
    pub fn group(self) -> &'static str {
        ["contactinformation", "companyinformation", "dealinformation", "project_information"][self.index()]
    }

    /// The properties returned when a read names none.
    pub fn default_properties(self) -> &'static [&'static str] {
        match self {
            Self::Contact => &["createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"],
            Self::Company => &["name", "domain", "createdate", "hs_lastmodifieddate", "hs_object_id"],
            Self::Deal => &[
                "dealname",
                "amount",
                "closedate",
                "pipeline",
                "dealstage",
                "createdate",
                "hs_lastmodifieddate",
                "hs_object_id",
            ],
            Self::Project => &["name", "createdate", "hs_lastmodifieddate", "hs_object_id"],
        }
    }

    /// The properties a free-text search looks at.
    pub fn searchable(self) -> &'static [&'static str] {
        match self {
            Self::Contact => &["email", "firstname", "lastname", "phone", "company"],
            Self::Company => &["name", "domain", "phone", "website"],
            Self::Deal => &["dealname", "description", "dealtype"],
            Self::Project => &["name"],
        }
    }
}
