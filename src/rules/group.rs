//! Atomic groups: fields that are decided together become one field, whose value has one place for each of them.

use super::builder::{Checks, is_name};
use super::error::Fault;
use super::spec::{EntitySpec, FieldSpec};
use super::{ConflictPolicy, ConflictSpec, Field, FieldBinding, LinkPolicy, Mismatch};
use crate::model::{FieldId, FieldKind};
use std::collections::BTreeMap;

/// Puts the fields of each group into one, whose policies are still to be set; the others stay as they are.
pub(super) fn gather(spec: &EntitySpec, at: &str, fields: Vec<Field>, checks: &mut Checks) -> Vec<Field> {
    let mut members: BTreeMap<&str, Vec<Field>> = BTreeMap::new();
    let mut single = Vec::new();
    for field in fields {
        match spec.fields.iter().find(|spec| spec.name == field.name) {
            Some(FieldSpec { group: Some(group), .. }) => members.entry(group).or_default().push(field),
            _ => single.push(field),
        }
    }
    check(spec, at, &members, checks);
    single.extend(members.into_iter().map(|(name, members)| group(name, members)));
    single
}

/// One field of several. The order of its members is that of their names, wherever the config has them.
fn group(name: &str, mut members: Vec<Field>) -> Field {
    members.sort_by(|a, b| a.name.cmp(&b.name));
    let of = |home| members.iter().filter_map(move |member| member.binding(home));
    let bindings = members.first().into_iter().flat_map(|first| &first.bindings).map(|first| FieldBinding {
        properties: of(first.home()).flat_map(|binding| binding.properties.clone()).collect(),
        ..FieldBinding::new(first.home(), "")
    });
    Field {
        id: FieldId::of(name),
        name: name.to_owned(),
        kind: FieldKind::Group,
        bindings: bindings.collect(),
        conflict: ConflictPolicy::Latest,
        on_link: LinkPolicy::FillBlanks,
        mismatch: Mismatch::default(),
        sensitive: members.iter().any(|member| member.sensitive),
        members,
        shared_domains: None,
    }
}

fn check(spec: &EntitySpec, at: &str, members: &BTreeMap<&str, Vec<Field>>, checks: &mut Checks) {
    for group in spec.groups.iter().filter(|group| !members.contains_key(&*group.name)) {
        let name = group.name.clone();
        checks.fault(format!("{at}.groups.{name}"), Fault::GroupEmpty { name });
    }
    for (name, members) in members {
        let name = (*name).to_owned();
        let places = members.iter().map(|member| format!("{at}.fields.{}", member.name));
        let places: Vec<String> = places.collect();
        if !is_name(&name) {
            checks.fault(format!("{}.group", places[0]), Fault::BadName { what: "a group", name: name.clone() });
        }
        if spec.fields.iter().any(|field| FieldId::of(&field.name) == FieldId::of(&name)) {
            checks.fault(format!("{}.group", places[0]), Fault::GroupIsField);
        }
        if members.len() < 2 {
            checks.fault(format!("{}.group", places[0]), Fault::GroupOfOne { name: name.clone() });
        }
        for (member, place) in members.iter().zip(&places) {
            let own = spec.fields.iter().find(|field| field.name == member.name);
            let option = match own.map(|own| (&own.conflict, &own.on_link)) {
                Some((Some(ConflictSpec::OneWay { .. }), _)) => "direction",
                Some((Some(_), _)) => "conflict",
                Some((None, Some(_))) => "on_link",
                _ => "",
            };
            if matches!(member.kind, FieldKind::Ref { .. } | FieldKind::Refs { .. } | FieldKind::Owner) {
                checks.fault(format!("{place}.group"), Fault::GroupOfReference { group: name.clone() });
            }
            if !option.is_empty() {
                checks.fault(format!("{place}.{option}"), Fault::GroupPolicy { group: name.clone() });
            }
            let elsewhere = members.iter().flat_map(|other| other.bindings.iter().map(move |binding| (other, binding)));
            let mut lacking: Vec<_> =
                elsewhere.filter(|(_, binding)| member.binding(binding.home()).is_none()).collect();
            lacking.dedup_by_key(|(_, binding)| binding.home());
            if let Some((other, binding)) = lacking.first() {
                let (group, system, other) = (name.clone(), checks.name(binding.system), other.name.clone());
                checks.fault(place, Fault::GroupElsewhere { group, system, other });
            }
        }
    }
}
