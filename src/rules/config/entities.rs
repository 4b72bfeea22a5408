//! `[entities.NAME]` and their fields.

use super::condition;
use super::error::Problems;
use super::life;
use super::limits::Limited;
use super::reader::{Node, Section};
use super::ruling;
use super::settings::{SystemKind, SystemSettings};
use super::transforms;
use super::{links, lists, ties};
use crate::model::{ASSOCIATION, ASSOCIATIONS, EntityId, FieldKind, JUNCTION, LIST, Raw, Region};
use crate::rules::nearest::nearest;
use crate::rules::{
    ConflictSpec, CreateSpec, Cut, DefaultSpec, EntitySpec, FieldSpec, GroupSpec, Join, Leaves, LinkSpec, ObjectSpec,
    OneWayEdits, PolicyError, ScopeSpec, ValueRow,
};
use std::str::FromStr;

pub(super) fn entities(node: Option<Node<'_>>, systems: &[SystemSettings], problems: &mut Problems) -> Vec<EntitySpec> {
    let Some(mut section) = node.and_then(|node| node.section(problems)) else { return Vec::new() };
    section.take_rest().iter().filter_map(|node| entity(node, systems, problems)).collect()
}

fn entity(node: &Node<'_>, systems: &[SystemSettings], problems: &mut Problems) -> Option<EntitySpec> {
    let mut section = node.section(problems)?;
    let mut entity = EntitySpec::new(node.key);
    let before = problems.0.len();
    entity.match_keys = section.take("match").and_then(|node| node.texts(problems)).unwrap_or_default();
    let unread = problems.0.len() > before;
    entity.on_link = section.take("on_link").and_then(|node| policy(&node, problems));
    entity.on_delete = life::on_delete(&mut section, problems).unwrap_or_default();
    entity.edit_against_delete = life::edit_against_delete(&mut section, problems).unwrap_or_default();
    let (rule, conflict) = ruled(section.take("conflict"));
    entity.conflict = conflict.and_then(|node| policy(&node, problems));
    // A match that could not be read is told as such, not as one that is missing.
    let stand_in = unread.then_some(CreateSpec::Nowhere);
    entity.create = section.take("create").and_then(|node| create(&node, problems)).or(stand_in);
    if let Some(node) = section.take("stamp") {
        match node.text(problems) {
            Some("on_create") | None => {}
            Some(other) => problems.push(
                &node.span,
                format!("stamp `{other}` is not available in this version"),
                "use \"on_create\"",
            ),
        }
    }
    let (mut scopes, mut links) = (Vec::new(), Vec::new());
    if let Some(mut at) = section.take("at").and_then(|node| node.section(problems)) {
        for node in at.take_rest() {
            let Some(there) = self::objects(&node, systems, problems) else { continue };
            entity.objects.extend(there.objects);
            entity.create_as.extend(there.create_as.map(|object| (node.key.to_owned(), object)));
            scopes.extend(there.scope.map(|scope| (node.key.to_owned(), scope)));
            links.extend(there.links.into_iter().map(|link| (node.key.to_owned(), link)));
        }
    }
    if let Some(mut fields) = section.take("fields").and_then(|node| node.section(problems)) {
        entity.fields = fields.take_rest().iter().filter_map(|node| field(node, systems, problems)).collect();
    }
    for (system, link) in links {
        entity = link.add(&system, entity);
    }
    for (system, scope) in scopes {
        // What a person wrote comes first, so that a condition cannot name the fields that follow from `lists`.
        let compiled = scope.compile(&entity.fields, problems);
        let names = lists::fields(&system, &scope.lists, &mut entity);
        let compiled = if names.is_empty() { compiled } else { compiled.map(|scope| scope.among(names)) };
        if let Some(scope) = compiled {
            entity = entity.scope(&system, scope);
        }
    }
    if let Some(mut groups) = section.take("groups").and_then(|node| node.section(problems)) {
        entity.groups = groups.take_rest().iter().filter_map(|node| group(node, problems)).collect();
    }
    if let Some(node) = rule {
        rule_all(&node, &mut entity, problems);
    }
    section.refuse("deletes", "use `on_delete`", problems);
    section.finish(problems);
    Some(entity)
}

/// The policies of an atomic group.
fn group(node: &Node<'_>, problems: &mut Problems) -> Option<GroupSpec> {
    let mut section = node.section(problems)?;
    let (conflict, on_link, rule) = policies(&mut section, None, problems);
    if let Some(node) = rule {
        let message = "a rule decides about one value, and a group has several";
        problems.push(&node.span, message, "use a policy such as \"latest\"");
    }
    section.finish(problems);
    Some(GroupSpec { name: node.key.to_owned(), conflict, on_link })
}

/// A policy that is a table is a rule, which must wait until types and systems are known.
pub(super) fn ruled<'d>(node: Option<Node<'d>>) -> (Option<Node<'d>>, Option<Node<'d>>) {
    match node {
        Some(node) if node.is_table() => (Some(node), None),
        node => (None, node),
    }
}

/// `{ rule = "EXPRESSION" }` for one field.
fn rule(node: &Node<'_>, field: &FieldSpec, problems: &mut Problems) -> Option<ConflictSpec> {
    let mut section = node.section(problems)?;
    let text = section.take("rule");
    if text.is_none() && section.is_empty() {
        section.missing("rule", "write conflict = { rule = \"EXPRESSION\" }, or a policy in quotes", problems);
    }
    section.finish(problems);
    let text = text?;
    let systems: Vec<String> = field.systems().into_iter().map(str::to_owned).collect();
    match ruling::compile(text.text(problems)?, &field.kind, &systems) {
        Ok(rule) => Some(ConflictSpec::Rule(rule)),
        Err((message, mend)) => {
            problems.push(&text.span, message, mend);
            None
        }
    }
}

/// One rule for all fields that have no policy of their own.
pub(super) fn rule_all(node: &Node<'_>, entity: &mut EntitySpec, problems: &mut Problems) {
    let own: Vec<&String> =
        entity.groups.iter().filter(|group| group.conflict.is_some()).map(|group| &group.name).collect();
    for field in entity.fields.iter_mut().filter(|field| field.conflict.is_none()) {
        let apart = match &field.group {
            Some(group) if own.contains(&group) => continue,
            Some(group) => Some(format!("the group `{group}`")),
            None => matches!(field.kind, FieldKind::Ref { .. })
                .then(|| format!("`{}`, which refers to another record", field.name)),
        };
        match apart {
            Some(what) => {
                let message = format!("a rule decides nothing about {what}");
                problems.push(&node.span, message, "give it a policy of its own");
            }
            None => {
                field.conflict = rule(node, field, problems);
                // One fault is enough.
                if field.conflict.is_none() {
                    return;
                }
            }
        }
    }
}

/// Who wins, and what a first link does; and the rule for who wins, if it is one.
///
/// `source`: where the field comes from anyhow.
fn policies<'d>(
    section: &mut Section<'d>,
    source: Option<&str>,
    problems: &mut Problems,
) -> (Option<ConflictSpec>, Option<LinkSpec>, Option<Node<'d>>) {
    let (rule, conflict) = ruled(section.take("conflict"));
    let mut conflict = conflict.and_then(|node| policy(&node, problems));
    let on_link = section.take("on_link").and_then(|node| policy(&node, problems));
    let edits = section.take("edits").and_then(|node| Some((node.clone(), one_way_edits(&node, problems)?)));
    let direction = section.take("direction");
    if let (Some(node), Some(_)) = (&direction, source) {
        problems.push(&node.key_span, "`from` says already where it comes from", "take `direction` away");
    }
    let said = direction.as_ref().map(|node| &node.key_span).or(source.map(|_| &section.span)).cloned();
    if let Some(key_span) = said {
        let edits = edits.map_or_else(OneWayEdits::default, |(_, edits)| edits);
        let from = source.map(str::to_owned).or_else(|| self::direction(direction.as_ref()?, problems));
        if let Some(from) = from {
            if conflict.is_some() || rule.is_some() {
                let message = "a one-way field has no conflicts";
                problems.push(&key_span, message, "take `conflict` away, or `direction`");
            }
            conflict = Some(ConflictSpec::OneWay { from, edits });
        }
    } else if let Some((node, _)) = edits {
        let message = "`edits` says what happens to edits where a one-way field only arrives";
        problems.push(&node.key_span, message, "add direction = \"from <system>\", or take it away");
    }
    (conflict, on_link, rule)
}

/// How a text is several properties.
fn join(section: &mut Section<'_>, problems: &mut Problems) -> Option<Join> {
    let separator = section.take("join").and_then(|node| node.text(problems)).map(str::to_owned);
    let split = section.take("split");
    let cut = split.as_ref().and_then(|node| match node.text(problems)? {
        "first" => Some(Cut::First),
        "last" => Some(Cut::Last),
        text => {
            let message = format!("`{text}` is no place at which a text is split");
            problems.push(&node.span, message, "write \"first\" or \"last\": the separators that count");
            None
        }
    });
    if let Some(node) = split.filter(|_| separator.is_none()) {
        let message = "`split` says which separators count, but there is none";
        problems.push(&node.key_span, message, "add join = \" \", or take it away");
    }
    Some(Join { separator: separator?, cut: cut.unwrap_or_default() })
}

fn create(node: &Node<'_>, problems: &mut Problems) -> Option<CreateSpec> {
    if node.is_list() {
        return node.texts(problems).map(CreateSpec::At);
    }
    if !node.is_bool() {
        node.wrong("true, false or a list of systems", problems);
        return None;
    }
    let everywhere = node.bool(problems)?;
    Some(if everywhere { CreateSpec::Everywhere } else { CreateSpec::Nowhere })
}

/// What is said of one system.
struct Objects<'d> {
    objects: Vec<ObjectSpec>,
    create_as: Option<String>,
    scope: Option<Scoped<'d>>,
    links: Vec<links::Link>,
}

/// The objects in one system, and as which of them records are created.
fn objects<'d>(node: &Node<'d>, systems: &[SystemSettings], problems: &mut Problems) -> Option<Objects<'d>> {
    let mut section = node.section(problems)?;
    // What stands in for a wrong name must be neither blank nor another's, or it would be blamed a second time.
    let name = |node: &Node<'_>, problems: &mut Problems| {
        node.text(problems).map_or_else(|| format!("?{}", node.path), str::to_owned)
    };
    let objects = match section.take("object") {
        None => {
            section.missing("object", "add object = \"...\"", problems);
            vec![format!("?{}", node.path)]
        }
        Some(list) if list.is_list() => {
            let items = list.list(problems).unwrap_or_default();
            let mut objects: Vec<String> = items.iter().map(|item| name(item, problems)).collect();
            if objects.is_empty() {
                problems.push(&list.span, format!("`{}` names no object", list.path), "name one or several");
                objects.push(format!("?{}", list.path));
            }
            objects
        }
        Some(node) => vec![name(&node, problems)],
    };
    let external_id = match section.take("external_id") {
        None => systems.iter().find(|system| system.name == node.key).map(|s| s.kind.external_id().to_owned()),
        Some(node) if node.is_bool() => {
            if node.bool(problems) == Some(true) {
                node.wrong("the name of a property, or false", problems);
            }
            None
        }
        Some(node) => node.text(problems).map(str::to_owned),
    };
    let create_as = section.take("create_as").and_then(|node| node.text(problems)).map(str::to_owned);
    let is_hubspot = systems.iter().any(|system| system.name == node.key && system.kind == SystemKind::HubSpot);
    let scope = Scoped::take(&mut section, is_hubspot, problems);
    let on_delete = life::on_delete(&mut section, problems);
    let links = section.take("links").map(|node| links::read(&node, systems, problems)).unwrap_or_default();
    let constants = section.take("on_create").and_then(|node| node.section(problems));
    let constants = constants.map(|mut section| section.take_rest()).unwrap_or_default();
    let constant = |node: &Node<'_>| match node.raw() {
        Some(raw) => Some((node.key.to_owned(), raw)),
        None => {
            node.wrong("a single value", problems);
            None
        }
    };
    let on_create: Vec<(String, Raw)> = constants.iter().filter_map(constant).collect();
    section.finish(problems);
    // What is created becomes one of them only.
    let alone = objects.len() == 1;
    let spec = |object: String| {
        let created = alone || create_as.as_ref() == Some(&object);
        let on_create = if created { on_create.clone() } else { Vec::new() };
        let (system, external_id) = (node.key.to_owned(), external_id.clone());
        ObjectSpec { system, object, external_id, on_create, scope: None, on_delete, links: Vec::new() }
    };
    Some(Objects { objects: objects.into_iter().map(spec).collect(), create_as: create_as.clone(), scope, links })
}

/// `where`, `lists` and `leaves`, until the fields are known.
struct Scoped<'d> {
    condition: Option<Node<'d>>,
    /// The numbers of lists, one of which a record must be in; none = all.
    lists: Vec<String>,
    leaves: Leaves,
}

impl<'d> Scoped<'d> {
    fn take(section: &mut Section<'d>, is_hubspot: bool, problems: &mut Problems) -> Option<Self> {
        let leaves = section.take("leaves");
        let lists = section.take("lists").map(|node| lists::numbers(&node, is_hubspot, problems)).unwrap_or_default();
        let condition = section.take("where");
        if condition.is_none() && lists.is_empty() {
            if let Some(node) = leaves {
                let message = "`leaves` says what becomes of records that leave the scope, but all records are in it";
                problems.push(&node.key_span, message, "add where = \"CONDITION\", or take it away");
            }
            return None;
        }
        let leaves = leaves.and_then(|node| match node.text(problems)? {
            "frozen" => Some(Leaves::Frozen),
            "kept" => Some(Leaves::Kept),
            "detached" => Some(Leaves::Detached),
            "archived" => Some(Leaves::Archived),
            text => {
                let message = format!("nothing is known of leaves = `{text}`");
                problems.push(&node.span, message, "use \"frozen\", \"kept\", \"detached\" or \"archived\"");
                None
            }
        });
        Some(Self { condition, lists, leaves: leaves.unwrap_or_default() })
    }

    fn compile(&self, fields: &[FieldSpec], problems: &mut Problems) -> Option<ScopeSpec> {
        let Some(node) = &self.condition else {
            return Some(ScopeSpec::new("", [""; 0], |_| true).leaves(self.leaves));
        };
        let text = node.text(problems)?;
        match condition::compile(text, fields) {
            Ok(scope) => Some(scope.leaves(self.leaves)),
            Err((message, mend)) => {
                problems.push(&node.span, message, mend);
                None
            }
        }
    }
}

fn field(node: &Node<'_>, systems: &[SystemSettings], problems: &mut Problems) -> Option<FieldSpec> {
    let mut section = node.section(problems)?;
    let kind = section.take("type");
    let to = section.take("to");
    let scale = section.take("scale");
    let region = section.take("region");
    let limits = Limited::take(&mut section);
    let transform = section.take("transform");
    let has_values = section.take("values");
    let kind = match &kind {
        None => {
            section.missing("type", format!("add type = \"...\": one of {TYPES}"), problems);
            None
        }
        Some(node) => field_kind(node, problems),
    };
    // Without a type, the one to which nothing else can be blamed.
    let known = kind.is_some();
    let stand_in = if has_values.is_some() { FieldKind::Enum } else { FieldKind::Text };
    let mut field = FieldSpec::new(node.key, kind.unwrap_or(stand_in));
    let scales = scale.as_ref().filter(|node| node.is_table());
    if let Some(node) = scale.as_ref().filter(|node| !node.is_table()) {
        self::scale(node, known, &mut field.kind, problems);
    }
    if let Some(rows) = has_values.and_then(|node| node.list(problems)) {
        field.values = rows.iter().filter_map(|row| value_row(row, problems)).collect();
    }
    match (&to, &field.kind) {
        (Some(node), _) if known => {
            let to = node.text(problems).unwrap_or_default();
            let own = std::mem::replace(&mut field, FieldSpec::reference(node.key, to));
            let kind = match own.kind {
                FieldKind::Ref { .. } => field.kind,
                FieldKind::Refs { .. } => FieldKind::Refs { to: EntityId::of(to) },
                kind => kind,
            };
            field = FieldSpec { to: field.to, kind, ..own };
        }
        (None, FieldKind::Ref { .. } | FieldKind::Refs { .. }) => {
            section.missing("to", "add to = \"ENTITY\": the one that it refers to", problems);
            // One fault is enough.
            field.kind = FieldKind::Text;
        }
        _ => {}
    }
    if let Some(node) = &region {
        field.kind = match (self::region(node, problems), &field.kind) {
            (Some(region), FieldKind::Phone) => FieldKind::PhoneOf(region),
            (_, kind) => {
                if known && *kind != FieldKind::Phone {
                    let message = format!("a field of type `{}` has no `region`", kind.name());
                    problems.push(&node.key_span, message, "use type = \"phone\", or take it away");
                }
                kind.clone()
            }
        };
    }
    let from = section.take("from");
    let source = from.as_ref().and_then(|node| record_url(node, problems));
    let rule;
    (field.conflict, field.on_link, rule) = policies(&mut section, source.as_deref(), problems);
    field.record_url_of = source;
    field.join = join(&mut section, problems);
    field.group = section.take("group").and_then(|node| node.text(problems)).map(str::to_owned);
    field.default = section.take("default").and_then(|node| default(&node, problems));
    field.shared_domains = section.take("shared_domains").and_then(|node| node.texts(problems));
    field.fallback = section.take("fallback").map(|node| fallback(&node, problems)).unwrap_or_default();
    field.sensitive = section.take("sensitive").and_then(|node| node.bool(problems)).unwrap_or_default();
    properties(section, systems, &mut field, problems);
    if from.is_some() && field.record_url_of.is_none() {
        // One fault is enough.
        let free = systems.iter().find(|system| !field.properties.iter().any(|(named, _)| *named == system.name));
        field.record_url_of = free.map(|system| system.name.clone());
    }
    // Without a type nobody knows what fits it.
    if known {
        if let Some(node) = rule.filter(|_| field.conflict.is_none()) {
            field.conflict = self::rule(&node, &field, problems);
        }
        limits.read(scales, &mut field, problems);
        if let Some(node) = transform {
            transforms::read(&node, &mut field, problems);
        }
    }
    Some(field)
}

/// What remains in a field's table are system names, unless one looks more like an option than like a system.
fn properties(mut section: Section<'_>, systems: &[SystemSettings], field: &mut FieldSpec, problems: &mut Problems) {
    let names = || systems.iter().map(|system| &*system.name);
    for node in section.take_rest() {
        let is_system = names().any(|name| name == node.key);
        match nearest(node.key, names().chain(OPTIONS)).filter(|near| !is_system && OPTIONS.contains(near)) {
            Some(near) => {
                let mend = format!("did you mean `{near}`?");
                problems.push(&node.key_span, format!("unknown key `{}`", node.path), mend);
            }
            None if node.is_table() => of_objects(&node, systems, field, problems),
            None => {
                let properties = property(&node, node.key, systems, problems);
                field.properties.push((node.key.to_owned(), properties));
            }
        }
    }
}

/// A property, or several. One that is no text still counts as one, so that nothing else is blamed for its absence.
fn property(node: &Node<'_>, system: &str, systems: &[SystemSettings], problems: &mut Problems) -> Vec<String> {
    let properties = match node.is_list() {
        true => node.texts(problems),
        false => node.text(problems).map(|property| vec![property.to_owned()]),
    };
    let properties = properties.unwrap_or_else(|| vec![format!("?{}", node.path)]);
    let is_hubspot = |of: &SystemSettings| of.name == system && of.kind == SystemKind::HubSpot;
    if !systems.iter().any(is_hubspot) {
        let junction = |text: &String| Some(format!("{JUNCTION}{}", ties::junction(text)?));
        let known = systems.iter().any(|of| of.name == system && of.kind == SystemKind::Salesforce);
        return properties.into_iter().map(|text| junction(&text).filter(|_| known).unwrap_or(text)).collect();
    }
    match &properties[..] {
        [text] if text == PRIMARY_COMPANY => vec![format!("{ASSOCIATION}companies")],
        [text] if ties::associated(text).is_some() => {
            vec![format!("{ASSOCIATIONS}{}", ties::associated(text).unwrap_or_default())]
        }
        [text] if lists::number(text).is_some() => vec![format!("{LIST}{}", lists::number(text).unwrap_or_default())],
        _ => properties,
    }
}

/// A system's property by object.
fn of_objects(node: &Node<'_>, systems: &[SystemSettings], field: &mut FieldSpec, problems: &mut Problems) {
    let system = node.key.to_owned();
    let objects = node.section(problems).map(|mut section| section.take_rest()).unwrap_or_default();
    if objects.is_empty() {
        problems.push(&node.key_span, format!("`{}` names no property", node.path), "name one by its object");
        field.properties.push((system, vec![format!("?{}", node.path)]));
        return;
    }
    for object in objects {
        let properties = property(&object, &system, systems, problems);
        field.of_objects.push((system.clone(), object.key.to_owned(), properties));
    }
}

fn field_kind(node: &Node<'_>, problems: &mut Problems) -> Option<FieldKind> {
    let text = node.text(problems)?;
    let instead = match text {
        "text" => return Some(FieldKind::Text),
        "email" => return Some(FieldKind::Email),
        "phone" => return Some(FieldKind::Phone),
        "domain" => return Some(FieldKind::Domain),
        "decimal" => return Some(FieldKind::Decimal { scale: None }),
        // Its currency is a field of its own, in the same group.
        "money" => return Some(FieldKind::Decimal { scale: Some(2) }),
        "bool" => return Some(FieldKind::Bool),
        "date" => return Some(FieldKind::Date),
        "datetime" => return Some(FieldKind::DateTime { step_ms: 1 }),
        "enum" => return Some(FieldKind::Enum),
        "url" => return Some(FieldKind::Url),
        "integer" => return Some(FieldKind::Integer),
        "set" => return Some(FieldKind::Set),
        // Where it leads to is told by `to`.
        "owner" => return Some(FieldKind::Owner),
        "ref" => return Some(FieldKind::Ref { to: EntityId::of("") }),
        "refs" => return Some(FieldKind::Refs { to: EntityId::of("") }),
        "id" => "use \"text\"",
        _ => {
            let mend = match nearest(text, TYPES.split(", ")) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("write one of {TYPES}"),
            };
            problems.push(&node.span, format!("`{text}` is no type"), mend);
            return None;
        }
    };
    problems.push(&node.span, format!("type `{text}` is not available in this version"), instead);
    None
}

/// The region whose people write their phone numbers without its code.
pub(super) fn region(node: &Node<'_>, problems: &mut Problems) -> Option<Region> {
    let text = node.text(problems)?;
    Region::parse(text)
        .map_err(|error| problems.push(&node.span, format!("region `{text}`: {error}"), error.mend()))
        .ok()
}

fn scale(node: &Node<'_>, known: bool, kind: &mut FieldKind, problems: &mut Problems) {
    let number = node.number(problems);
    match kind {
        FieldKind::Decimal { scale } => *scale = number,
        _ if known => {
            let message = format!("a field of type `{}` has no `scale`", kind.name());
            problems.push(&node.key_span, message, "use type = \"decimal\", or take it away");
        }
        _ => {}
    }
}

/// The system of whose record a field is the address: `remote_url(salesforce)`.
fn record_url(node: &Node<'_>, problems: &mut Problems) -> Option<String> {
    let text = node.text(problems)?;
    let system = text.trim().strip_prefix("remote_url(").and_then(|rest| rest.strip_suffix(')')).map(str::trim);
    if system.is_none_or(str::is_empty) {
        problems.push(&node.span, format!("nothing comes from `{text}`"), "write \"remote_url(<system>)\"");
    }
    system.filter(|system| !system.is_empty()).map(str::to_owned)
}

fn direction(node: &Node<'_>, problems: &mut Problems) -> Option<String> {
    let text = node.text(problems)?;
    match text.split_whitespace().collect::<Vec<_>>()[..] {
        ["from", system] => Some(system.to_owned()),
        _ => {
            problems.push(&node.span, format!("`{text}` is no direction"), "write \"from <system>\"");
            None
        }
    }
}

fn one_way_edits(node: &Node<'_>, problems: &mut Problems) -> Option<OneWayEdits> {
    match node.text(problems)? {
        "overwrite" => Some(OneWayEdits::Overwrite),
        "keep" => Some(OneWayEdits::Keep),
        "problem" => Some(OneWayEdits::Problem),
        text => {
            let mend = "write \"overwrite\", \"keep\" or \"problem\"";
            problems.push(&node.span, format!("`{text}` is nothing that can be done with an edit"), mend);
            None
        }
    }
}

fn value_row(node: &Node<'_>, problems: &mut Problems) -> Option<ValueRow> {
    let mut section = node.section(problems)?;
    let is = section.take("is").and_then(|node| node.text(problems)).map(str::to_owned);
    let at = section
        .take_rest()
        .iter()
        .filter_map(|node| node.text(problems).map(|text| (node.key.to_owned(), text.to_owned())))
        .collect();
    Some(ValueRow { is, at })
}

fn default(node: &Node<'_>, problems: &mut Problems) -> Option<DefaultSpec> {
    let raw = |node: &Node<'_>, problems: &mut Problems| {
        let text = node.scalar();
        if text.is_none() {
            node.wrong("a single value", problems);
        }
        text.map(|text| Raw::Text(text.into()))
    };
    if !node.is_table() {
        return raw(node, problems).map(DefaultSpec::Everywhere);
    }
    let mut section = node.section(problems)?;
    let at = section.take_rest();
    Some(DefaultSpec::At(
        at.iter().filter_map(|node| raw(node, problems).map(|raw| (node.key.to_owned(), raw))).collect(),
    ))
}

/// Whom an owner becomes, by system.
fn fallback(node: &Node<'_>, problems: &mut Problems) -> Vec<(String, String)> {
    if !node.is_table() {
        node.wrong("a table of e-mail addresses by system: fallback.SYSTEM = \"...\"", problems);
        return Vec::new();
    }
    let at = node.section(problems).map(|mut section| section.take_rest()).unwrap_or_default();
    at.iter().filter_map(|node| Some((node.key.to_owned(), node.text(problems)?.to_owned()))).collect()
}

/// A policy by its text.
pub(super) fn policy<T: FromStr<Err = PolicyError>>(node: &Node<'_>, problems: &mut Problems) -> Option<T> {
    match node.text(problems)?.parse() {
        Ok(policy) => Some(policy),
        Err(error) => {
            problems.push(&node.span, error.to_string(), error.mend());
            None
        }
    }
}

/// What HubSpot calls the company that a contact or a deal belongs to first of all: no property, but an association.
const PRIMARY_COMPANY: &str = "primary company";
pub(super) const OPTIONS: [&str; 24] = [
    "type",
    "to",
    "conflict",
    "direction",
    "edits",
    "on_link",
    "default",
    "scale",
    "values",
    "sensitive",
    "length",
    "precision",
    "options",
    "too_long",
    "too_fine",
    "unknown",
    "transform",
    "group",
    "join",
    "split",
    "fallback",
    "region",
    "from",
    "shared_domains",
];
pub(super) const TYPES: &str =
    "text, email, phone, domain, url, integer, decimal, money, bool, date, datetime, enum, set, ref, refs, owner";
