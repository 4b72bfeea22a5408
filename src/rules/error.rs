//! What can be wrong with rules: what, where, and the mend.

use std::fmt;

/// Everything that is wrong with rules, found in one pass. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesErrors(pub Vec<RulesError>);

/// One thing that is wrong with rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {fault}; {}", .fault.mend())]
pub struct RulesError {
    /// Where, in the words of a config: `entities.person.fields.phone.conflict`.
    pub at: String,
    /// What.
    pub fault: Fault,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the message beside each variant says what its fields are")]
pub enum Fault {
    #[error("there is {} system, and at least two are needed", if *.found == 1 { "one" } else { "no" })]
    FewSystems { found: usize },
    #[error("there is no entity, so nothing would be kept equal")]
    NoEntities,
    #[error("`{name}` cannot name {what}")]
    BadName { what: &'static str, name: String },
    #[error("a system cannot be named `{name}`, which is a word of the config")]
    ReservedName { name: String },
    #[error("{what} `{name}` is there twice")]
    Twice { what: &'static str, name: String },
    #[error("{what} `{name}` has the same id as `{other}`, by chance")]
    SameId { what: &'static str, name: String, other: String },
    #[error("no system is named `{name}`")]
    UnknownSystem { name: String, near: Option<String>, known: Vec<String> },
    #[error("the name of {what} is blank")]
    Blank { what: &'static str },
    #[error("the entity lives in {found} system{}, and at least two are needed", if *.found == 1 { "" } else { "s" })]
    FewObjects { found: usize },
    #[error("{system}'s object `{object}` belongs to the entity `{by}` already")]
    ObjectTaken { system: String, object: String, by: String },
    #[error("records may be created in {system}, where the entity has several objects, and none is chosen for them")]
    CreateAsWhich { system: String, objects: Vec<String> },
    #[error("the entity has no object `{object}` there")]
    UnknownObject { object: String, near: Option<String>, known: Vec<String> },
    #[error("the condition reads `{name}`, which is no field of the entity")]
    ScopeUnknown { name: String },
    #[error("the condition reads `{name}`, which refers to another record")]
    ScopeRefers { name: String },
    #[error("the condition reads `{name}`, which {object} does not have")]
    ScopeElsewhere { name: String, object: String },
    #[error("the link field `{name}` is no field of the entity")]
    LinkUnknown { name: String },
    #[error("the link field `{name}` is no text that stands by itself")]
    LinkOfOtherKind { name: String },
    #[error("it names records of {system} in {system} itself")]
    LinkToOwn { system: String },
    #[error("the entity has no field")]
    NoFields,
    #[error("the entity has no object in {system}, so it can have no property there")]
    NoObject { system: String },
    #[error("the field lives in {found} system{}, so it would be kept equal with nothing", if *.found == 1 { "" } else { "s" })]
    FewProperties { found: usize },
    #[error("{system}'s property `{property}` belongs to the field `{by}` already")]
    PropertyTaken { system: String, property: String, by: String },
    #[error("{system}'s property `{property}` holds our external id, so no field can live in it")]
    PropertyIsExternalId { system: String, property: String },
    #[error("a field of type `{kind}` cannot be several properties")]
    JoinOfOtherKind { kind: &'static str },
    #[error("nothing says what stands between the properties")]
    NoJoin,
    #[error("without a separator a text cannot be split")]
    JoinBlank,
    #[error("one such separator may begin within another")]
    JoinOverlaps,
    #[error(
        "a field that is several properties cannot belong to a group, with which it would be written whoever edits"
    )]
    JoinInGroup,
    #[error("the group has the name of a field")]
    GroupIsField,
    #[error("no field belongs to the group `{name}`")]
    GroupEmpty { name: String },
    #[error("the group `{name}` has this one field only, so there is nothing to be decided together")]
    GroupOfOne { name: String },
    #[error("a reference or an owner cannot belong to a group: `{group}` would wait for whom it leads to")]
    GroupOfReference { group: String },
    #[error("the fields of the group `{group}` are decided together, so none can have a policy of its own")]
    GroupPolicy { group: String },
    #[error(
        "the fields of the group `{group}` are decided together, but this one has no property in {system}, as `{other}` has"
    )]
    GroupElsewhere { group: String, system: String, other: String },
    #[error("the value is blank, so nothing would be written")]
    ConstantBlank,
    #[error("match key `{key}` belongs to the group `{group}`, and a part of it says little")]
    KeyInGroup { key: String, group: String },
    #[error("match key `{key}` is no field of the entity")]
    UnknownKey { key: String, near: Option<String> },
    #[error("match key `{key}` is a reference or an owner, and nobody is told by what he refers to")]
    KeyRefers { key: String },
    #[error("`{key}` is an address made of a record's id, by which nothing is matched")]
    KeyIsUrl { key: String },
    #[error("ties have no policy: each of them is decided by itself, and a first link only adds")]
    TiesDecided,
    #[error("membership of a list is true or false, no `{kind}`")]
    ListOfOtherKind { kind: &'static str },
    #[error("membership of a list is decided by its system alone")]
    ListBeside,
    #[error("who is a member of a list is told by {system}, and is written nowhere there")]
    ListDecided { system: String },
    #[error("the address of {system}'s record is written there, too, or read from there")]
    UrlBesideProperty { system: String },
    #[error("the address of a record is no `{kind}`")]
    UrlOfOtherKind { kind: &'static str },
    #[error("the address of a record is decided by nobody, so it is in no group")]
    UrlInGroup,
    #[error("the field does not say to which entity it refers")]
    NoTarget,
    #[error("the field refers to `{name}`, and no entity is named so")]
    UnknownTarget { name: String, near: Option<String> },
    #[error("a field of type `{kind}` refers to nothing")]
    TargetOfOtherKind { kind: &'static str },
    #[error("the field refers to `{target}`, which has no object in {system}")]
    TargetElsewhere { target: String, system: String },
    #[error("a field of type `{kind}` has no fallback")]
    FallbackOfOtherKind { kind: &'static str },
    #[error("a field of type `{kind}` has no shared domains")]
    SharedOfOtherKind { kind: &'static str },
    #[error("`{text}` is no domain")]
    NoDomain { text: String },
    #[error("`{text}` is no e-mail address")]
    NoAddress { text: String },
    #[error("a reference has no default")]
    DefaultRefers,
    #[error("records can neither be matched, for want of a match key, nor are they created: nothing would ever happen")]
    NoWayToLink,
    #[error("policy `{policy}` names {system}, but the field has no property there")]
    PolicyElsewhere { policy: String, system: String },
    #[error(
        "which of two values of `{field}` is the later one cannot be told: {system} keeps no history of a field, and when a record was \
             modified says nothing of one of its fields"
    )]
    NoHistory { field: String, system: String, own: bool },
    #[error("policy `{policy}` decides nothing about values of type `{kind}`")]
    PolicyOfOtherKind { policy: String, kind: &'static str, inherited: bool },
    #[error("an order in which nothing goes back needs two options at least, and none of them blank")]
    OrderOfOne,
    #[error("the order names `{option}`, which the value map does not know")]
    OrderUnmapped { option: String, near: Option<String> },
    #[error("records are to be created in {system}, whose mode is `read`")]
    CreateReadOnly { system: String },
    #[error("records are to be created in {system}, but no property there holds our external id")]
    CreateWithoutId { system: String },
    #[error("a field of type `{kind}` has no value map")]
    ValuesOfOtherKind { kind: &'static str },
    #[error("the row names {} system{}", .found, if *.found == 1 { " and no `is`" } else { "s" })]
    ValueAlone { found: usize },
    #[error("an option is blank")]
    ValueBlank,
    #[error("`{option}` would be read as several options, for `;` stands between the options of a set")]
    ValueParts { option: String },
    #[error("the row has no effect: rows before it name all that it names")]
    ValueUseless,
    #[error("`{canonical}` has no option in {system}")]
    ValueMissing { canonical: String, system: String },
    #[error(
        "{system}'s `{shown}` is read as `{canonical}`, which is written there as `{written}`, which is read as `{back}`"
    )]
    ValueDrifts { system: String, shown: String, canonical: String, written: String, back: String },
    #[error("{scale} digits after the point are more than the 28 of a decimal number")]
    Scale { scale: u32 },
    #[error("a field of type `{kind}` has no `{limit}`")]
    LimitOfOtherKind { limit: &'static str, kind: &'static str },
    #[error("{limit} 0 leaves room for nothing")]
    LimitZero { limit: &'static str },
    #[error("a scale of {scale} digits is more than the precision of {precision} that it is part of")]
    LimitScale { scale: u32, precision: u32 },
    #[error("`{option}` stands in the value map, but {system}'s `options` do not name it")]
    OptionUnlisted { system: String, option: String },
    #[error("`{choice}` has no effect: {why}")]
    ChoiceUseless { choice: String, why: &'static str, mend: &'static str },
    #[error("unknown options are to count as `{option}`, which {system} does not know")]
    UnknownUnmapped { option: String, system: String, near: Option<String> },
    #[error("the default for {system} cannot be held there: {unfit}")]
    DefaultTooMuch { system: String, unfit: super::Unfit },
    #[error("`{transform}` is nothing for a field of type `{kind}`")]
    TransformOfOtherKind { transform: &'static str, kind: &'static str },
    #[error("`{transform}` does nothing: {why}")]
    TransformUseless { transform: &'static str, why: &'static str },
    #[error("`{transform}` {how} cannot be taken back, and the field goes both ways")]
    TransformOneWay { transform: &'static str, how: &'static str },
    #[error("the default is {reason}")]
    DefaultUnfit { reason: String },
    #[error("the value map does not know the default `{value}`")]
    DefaultUnmapped { value: String, near: Option<String> },
    #[error("the default `{value}` would be written to {system} as `{written}`, by the first row of its meaning")]
    DefaultDrifts { system: String, value: String, written: String },
}

impl Fault {
    /// What to do about it.
    pub fn mend(&self) -> String {
        match self {
            Self::FewSystems { .. } => "add a `[systems.NAME]` for each account".into(),
            Self::NoEntities => "add an `[entities.NAME]`".into(),
            Self::BadName { .. } => "use 1 to 64 letters, digits, `_` and `-`".into(),
            Self::ReservedName { .. } | Self::SameId { .. } => "choose another name".into(),
            Self::Twice { .. } => "take one away".into(),
            Self::UnknownSystem { near: Some(near), .. } => format!("did you mean `{near}`?"),
            Self::UnknownSystem { known, .. } if known.is_empty() => "add it under `[systems.NAME]`".into(),
            Self::UnknownSystem { known, .. } => {
                format!("name one of {}, or add it under `[systems.NAME]`", known.join(", "))
            }
            Self::Blank { .. } => "fill it in".into(),
            Self::FewObjects { .. } => "add `at.SYSTEM = { object = \"...\" }` for each system".into(),
            Self::ObjectTaken { .. } => "give each object to one entity".into(),
            Self::CreateAsWhich { objects, .. } => match &objects[..] {
                [first, ..] => format!("add create_as = {first:?}, or take the system out of `create`"),
                [] => "add create_as".into(),
            },
            Self::UnknownObject { near: Some(near), .. } => format!("did you mean `{near}`?"),
            Self::UnknownObject { known, .. } => format!("name one of {}", known.join(", ")),
            Self::ScopeUnknown { .. } => "name a field of the entity".into(),
            Self::ScopeRefers { .. } => "use a field with a value of its own".into(),
            Self::ScopeElsewhere { object, .. } => format!("give the field a property of {object}, or use another"),
            Self::LinkUnknown { .. } => "name a field of the entity".into(),
            Self::LinkOfOtherKind { .. } => "use a field of type = \"text\", outside of groups".into(),
            Self::LinkToOwn { .. } => "name the other system, whose ids it holds".into(),
            Self::NoFields => "add at least the match key under `fields`".into(),
            Self::NoObject { system } => format!("add `at.{system} = {{ object = \"...\" }}` to the entity"),
            Self::FewProperties { .. } => "name its property in a second system, or take the field away".into(),
            Self::PropertyTaken { .. } => "give each property to one field".into(),
            Self::PropertyIsExternalId { .. } => {
                "take the field away, or name another property as `external_id`".into()
            }
            Self::JoinOfOtherKind { .. } => "name one property, or use type = \"text\"".into(),
            Self::NoJoin => "add join = \" \"".into(),
            Self::JoinBlank => "write what stands between the parts".into(),
            Self::JoinOverlaps => "write one that does not begin as it ends".into(),
            Self::JoinInGroup => "take `group` away, or name one property".into(),
            Self::ConstantBlank => "fill it in, or take it away".into(),
            Self::GroupIsField => "choose another name".into(),
            Self::GroupEmpty { name } => format!("add group = \"{name}\" to its fields, or take it away"),
            Self::GroupOfOne { .. } => "add `group` to the others, or take it away".into(),
            Self::GroupOfReference { .. } => "take it out of the group".into(),
            Self::GroupPolicy { group } => format!("say it for all of them, under `groups.{group}`"),
            Self::GroupElsewhere { system, .. } => {
                format!("name its property in {system}, or take it out of the group")
            }
            Self::KeyInGroup { .. } => "match by another field, or take it out of the group".into(),
            Self::UnknownKey { near: Some(near), .. } => format!("did you mean `{near}`?"),
            Self::UnknownKey { .. } => "name a field of the entity".into(),
            Self::TiesDecided => "take it away".into(),
            Self::ListOfOtherKind { .. } => "use type = \"bool\"".into(),
            Self::ListBeside => "take it out of the group, and name the list of one system".into(),
            Self::ListDecided { system } => format!("take `conflict` away, or write direction = \"from {system}\""),
            Self::UrlBesideProperty { system } => format!("take the property in {system} away"),
            Self::UrlOfOtherKind { .. } => "use type = \"url\"".into(),
            Self::UrlInGroup => "take `group` away".into(),
            Self::KeyIsUrl { .. } | Self::KeyRefers { .. } => {
                "match by what a record shows of itself: an address, a domain, a name".into()
            }
            Self::NoTarget => "add to = \"ENTITY\"".into(),
            Self::UnknownTarget { near: Some(near), .. } => format!("did you mean `{near}`?"),
            Self::UnknownTarget { .. } => "name an entity of this config, or add it".into(),
            Self::TargetOfOtherKind { .. } => "use type = \"ref\", or take `to` away".into(),
            Self::TargetElsewhere { target, system } => {
                format!(
                    "add `at.{system} = {{ object = \"...\" }}` to `{target}`, or take the property in {system} away"
                )
            }
            Self::SharedOfOtherKind { .. } => "use type = \"domain\", or take it away".into(),
            Self::NoDomain { .. } => "write a domain, as in \"gmail.com\"".into(),
            Self::FallbackOfOtherKind { .. } => "use type = \"owner\", or take it away".into(),
            Self::NoAddress { .. } => "name a person by the address that the system shows: \"ops@acme.example\"".into(),
            Self::DefaultRefers => "take it away".into(),
            Self::NoWayToLink => "add `match = [\"FIELD\"]`".into(),
            Self::PolicyElsewhere { system, .. } => {
                format!("give the field a policy of its own, or a property in {system}")
            }
            Self::NoHistory { own: true, .. } => "use \"fill blanks\", \"prefer SYSTEM\" or \"review\"".into(),
            Self::NoHistory { field, .. } => {
                format!(
                    "give the entity another `on_link`, or `{field}` one of its own: \"fill blanks\", \"prefer SYSTEM\" or \"review\""
                )
            }
            Self::PolicyOfOtherKind { inherited: true, .. } => {
                "give the field a policy of its own, or say this one of single fields only".into()
            }
            Self::PolicyOfOtherKind { policy, .. } => match policy.split(' ').next() {
                Some("max" | "min") => {
                    "use it on numbers, dates and moments; here \"latest\" or \"prefer SYSTEM\"".into()
                }
                Some("forward") => "use it on a field of type \"enum\"; here \"latest\" or \"prefer SYSTEM\"".into(),
                Some("append") => "use it on a field of type \"text\"; here \"latest\" or \"prefer SYSTEM\"".into(),
                Some("union") => "use it on a field of type \"set\"; here \"latest\" or \"prefer SYSTEM\"".into(),
                _ => "use \"latest\" or \"prefer SYSTEM\"".into(),
            },
            Self::OrderOfOne => "write \"forward only FIRST, SECOND, LAST\"".into(),
            Self::OrderUnmapped { near: Some(near), .. } => format!("did you mean `{near}`?"),
            Self::OrderUnmapped { .. } => "name options by their names in the value map".into(),
            Self::CreateReadOnly { system } => {
                format!("take {system} out of `create`, or set its mode to \"read-write\"")
            }
            Self::CreateWithoutId { system } => {
                format!("name a unique property as `external_id` in `at.{system}`, or take {system} out of `create`")
            }
            Self::ValuesOfOtherKind { .. } => "use `type = \"enum\"` or \"set\", or take `values` away".into(),
            Self::ValueAlone { .. } => {
                "name the options of two systems, or one system's and the canonical name as `is`".into()
            }
            Self::ValueBlank => "fill it in, or take the row away".into(),
            Self::ValueParts { .. } => "give each option a row of its own, or use `type = \"enum\"`".into(),
            Self::ValueUseless => "take the row away".into(),
            Self::ValueMissing { system, .. } => format!("add {system}'s option to one of its rows"),
            Self::ValueDrifts { canonical, back, .. } => {
                format!("let one row come first for both, or give `{canonical}` and `{back}` one name by `is`")
            }
            Self::Scale { .. } => "use a scale from 0 to 28".into(),
            Self::LimitOfOtherKind { .. } => "take it away".into(),
            Self::LimitZero { .. } => "state what the property can hold, or take it away".into(),
            Self::LimitScale { .. } => "count the digits before and after the point in `precision`".into(),
            Self::OptionUnlisted { .. } => "name it in `options`, or take its row away".into(),
            Self::ChoiceUseless { mend, .. } => (*mend).into(),
            Self::UnknownUnmapped { near: Some(near), .. } => format!("did you mean `{near}`?"),
            Self::UnknownUnmapped { .. } => "name an option that every system of the field knows".into(),
            Self::TransformOfOtherKind { transform: "times", .. } => "use it on a number, or take it away".into(),
            Self::TransformOfOtherKind { transform: "shift", .. } => {
                "use it on a date or a moment, or take it away".into()
            }
            Self::TransformOfOtherKind { transform: "cel", .. } => {
                "use it on a text, a number, true or false, or take it away".into()
            }
            Self::TransformOfOtherKind { .. } => "use it on a field of type \"text\", or take it away".into(),
            Self::TransformUseless { .. } => "correct it, or take it away".into(),
            Self::TransformOneWay { transform: "cel", .. } => {
                "add back = \"EXPRESSION\", or direction = \"from <system>\" to the field".into()
            }
            Self::TransformOneWay { .. } => "replace it by a text that stands nowhere else, or take it away".into(),
            Self::DefaultTooMuch { .. } => "give a default that fits".into(),
            Self::DefaultUnfit { .. } => "give a default of the field's type".into(),
            Self::DefaultUnmapped { near: Some(near), .. } => format!("did you mean `{near}`?"),
            Self::DefaultUnmapped { .. } => "name an option of the value map".into(),
            Self::DefaultDrifts { written, .. } => format!("say `{written}`, or put its own row first"),
        }
    }
}

impl fmt::Display for RulesErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for RulesErrors {}
