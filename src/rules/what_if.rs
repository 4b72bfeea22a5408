//! Other policies, to be tried: what would the same data come to under them?

use super::entity_check::without_history;
use super::nearest::nearest;
use super::{ConflictPolicy, ConflictSpec, Field, LinkPolicy, LinkSpec, Rules, System};
use crate::model::SystemId;
use std::fmt;
use std::str::FromStr;

/// A policy that is to be tried in place of the one that the rules have: `conflict=latest`, `person.on_link=prefer salesforce`,
/// `person.phone.conflict=hubspot owns`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhatIf {
    entity: Option<String>,
    /// A field, or a group of fields.
    field: Option<String>,
    policy: Policy,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Policy {
    Conflict(ConflictSpec),
    OnLink(LinkSpec),
}

/// A policy that cannot be tried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct WhatIfError {
    /// Why not.
    pub message: String,
    /// What to do about it.
    pub mend: String,
}

impl WhatIfError {
    fn new(message: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { message: message.into(), mend: mend.into() }
    }
}

impl FromStr for WhatIf {
    type Err = WhatIfError;

    fn from_str(text: &str) -> Result<Self, WhatIfError> {
        const FORM: &str = "write conflict=POLICY, on_link=POLICY, or either behind ENTITY. or ENTITY.FIELD.";
        let refuse = || WhatIfError::new(format!("`{text}` is nothing to try"), FORM);
        let (place, policy) = text.split_once('=').ok_or_else(refuse)?;
        let mut parts: Vec<&str> = place.split('.').map(str::trim).collect();
        let key = parts.pop().unwrap_or_default();
        let (entity, field) = match parts[..] {
            [] => (None, None),
            [entity] if !entity.is_empty() => (Some(entity), None),
            [entity, field] if !entity.is_empty() && !field.is_empty() => (Some(entity), Some(field)),
            _ => return Err(refuse()),
        };
        let fault = |error: super::PolicyError| WhatIfError::new(error.to_string(), error.mend());
        let policy = match key {
            "conflict" => Policy::Conflict(policy.parse().map_err(fault)?),
            "on_link" => Policy::OnLink(policy.parse().map_err(fault)?),
            _ => return Err(refuse()),
        };
        Ok(Self { entity: entity.map(str::to_owned), field: field.map(str::to_owned), policy })
    }
}

impl fmt::Display for WhatIf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in self.entity.iter().chain(&self.field) {
            write!(f, "{part}.")?;
        }
        match &self.policy {
            Policy::Conflict(policy) => write!(f, "conflict={policy}"),
            Policy::OnLink(policy) => write!(f, "on_link={policy}"),
        }
    }
}

impl Rules {
    /// The same rules under other policies. One that is given for all fields, or for all of an entity, leaves those alone that only
    /// go one way or belong to a system, and those that do not live in the system that it names.
    ///
    /// # Errors
    /// One names what is not there, or what goes one way.
    pub fn what_if(&self, tried: &[WhatIf]) -> Result<Self, WhatIfError> {
        let mut rules = self.clone();
        for what in tried {
            rules.try_policy(what)?;
        }
        Ok(rules)
    }

    fn try_policy(&mut self, what: &WhatIf) -> Result<(), WhatIfError> {
        let system = match &what.policy {
            Policy::Conflict(policy) => policy.system(),
            Policy::OnLink(policy) => policy.system(),
        };
        if let Some(name) = system.filter(|name| self.system(SystemId::of(name)).is_none()) {
            let names = self.systems.iter().map(|system| &*system.name);
            return Err(unknown("system", name, names));
        }
        let system = system.map(SystemId::of);
        if let Some(name) = &what.entity
            && !self.entities.iter().any(|entity| entity.name == *name)
        {
            return Err(unknown("entity", name, self.entities.iter().map(|entity| &*entity.name)));
        }
        // Where nothing tells what the policy asks, it cannot be tried.
        let (mut silent, mut tried) = (None, false);
        let meant = |name: &str| what.entity.as_ref().is_none_or(|entity| entity == name);
        for entity in self.entities.iter_mut().filter(|entity| meant(&entity.name)) {
            if let Some(name) = &what.field
                && !entity.fields.iter().any(|field| field.name == *name)
            {
                let member = |field: &&Field| field.members.iter().any(|member| member.name == *name);
                if let Some(group) = entity.fields.iter().find(member) {
                    let mend = format!("write {}.{}", entity.name, group.name);
                    return Err(WhatIfError::new(format!("`{name}` is decided with its group"), mend));
                }
                return Err(unknown("field", name, entity.fields.iter().map(|field| &*field.name)));
            }
            for field in &mut entity.fields {
                match &what.field {
                    Some(name) if field.name != *name => continue,
                    Some(name) => named(field, name, system, &what.policy)?,
                    None if !what.policy.suits(field) => continue,
                    None if field.conflict.owner().is_some() || !lives(field, system) => continue,
                    None => {}
                }
                if let Some(system) = what.policy.needs_history(&self.systems, field) {
                    silent = Some((field.name.clone(), system.name.clone()));
                    continue;
                }
                field.set_policy(&what.policy);
                tried = true;
            }
        }
        match silent.filter(|_| !tried) {
            None => Ok(()),
            Some((field, system)) => Err(WhatIfError::new(
                format!(
                    "{system} keeps no history of `{field}`, so nothing tells which of two values is the later one"
                ),
                "try \"fill blanks\", \"prefer SYSTEM\" or \"review\"",
            )),
        }
    }
}

/// May the policy of a field that is named be another?
fn named(field: &Field, name: &str, system: Option<SystemId>, policy: &Policy) -> Result<(), WhatIfError> {
    if !policy.suits(field) {
        let mend = "try one that its type allows, such as conflict=latest";
        return Err(WhatIfError::new(
            format!("the policy decides nothing about `{name}`, of type {}", field.kind.name()),
            mend,
        ));
    }
    if matches!(field.conflict, ConflictPolicy::OneWay { .. }) {
        let mend = "take `direction` out of the config to see what it would be otherwise";
        return Err(WhatIfError::new(format!("`{name}` goes one way, so nothing is decided about it"), mend));
    }
    if !lives(field, system) {
        let mend = "name a system that the field lives in";
        return Err(WhatIfError::new(format!("`{name}` does not live in the system that the policy names"), mend));
    }
    Ok(())
}

fn lives(field: &Field, system: Option<SystemId>) -> bool {
    system.is_none_or(|system| field.bindings.iter().any(|binding| binding.system == system))
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> WhatIfError {
    let mend = match nearest(name, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("write one of {}", known.collect::<Vec<_>>().join(", ")),
    };
    WhatIfError::new(format!("there is no {what} `{name}`"), mend)
}

impl Policy {
    /// The system that keeps none, where the policy compares times of a history.
    fn needs_history<'s>(&self, systems: &'s [System], field: &Field) -> Option<&'s System> {
        let asked = matches!(self, Self::OnLink(LinkSpec::Latest));
        asked.then(|| without_history(systems, &field.bindings)).flatten()
    }

    fn suits(&self, field: &Field) -> bool {
        match self {
            Self::Conflict(policy) => policy.compile().suits(&field.kind),
            Self::OnLink(_) => true,
        }
    }
}

impl Field {
    fn set_policy(&mut self, policy: &Policy) {
        match policy {
            Policy::Conflict(policy) => self.set_conflict(policy.compile()),
            Policy::OnLink(policy) => self.set_link(policy.compile()),
        }
    }

    fn set_conflict(&mut self, policy: ConflictPolicy) {
        self.members.iter_mut().for_each(|member| member.conflict = policy.clone());
        self.conflict = policy;
    }

    fn set_link(&mut self, policy: LinkPolicy) {
        self.on_link = policy;
        self.members.iter_mut().for_each(|member| member.on_link = policy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FieldKind;
    use crate::rules::{EntitySpec, FieldSpec};

    fn rules() -> Rules {
        let ability = crate::rules::tests::ability(1);
        let field = |name: &str| FieldSpec::new(name, FieldKind::Text).at("a", name).at("b", name);
        let one_way = |name: &str| {
            field(name).conflict(ConflictSpec::OneWay { from: "a".into(), edits: crate::rules::OneWayEdits::Overwrite })
        };
        let entity = |name: &str| {
            let x = field("x").conflict(ConflictSpec::Prefer("a".into()));
            EntitySpec::new(name).at_with_id("a", name, "i").at_with_id("b", name, "i").match_by("x").field(x)
        };
        Rules::builder()
            .system("a", ability.clone())
            .system("b", ability)
            .entity(entity("person").field(field("y")).field(one_way("z")))
            .entity(entity("deal"))
            .build()
            .unwrap_or_else(|errors| panic!("{errors}"))
    }

    fn tried(text: &str) -> Result<Vec<String>, String> {
        let what: WhatIf = text.parse().map_err(|error: WhatIfError| format!("{error}; {}", error.mend))?;
        assert_eq!(what.to_string(), text, "it reads back");
        let (before, after) = (rules(), rules().what_if(&[what]).map_err(|error| format!("{error}; {}", error.mend))?);
        let mut changed = Vec::new();
        for (one, other) in before.entities.iter().zip(&after.entities) {
            for (one, field) in one.fields.iter().zip(&other.fields) {
                if (&one.conflict, one.on_link) != (&field.conflict, field.on_link) {
                    changed.push(format!("{}.{}", other.name, field.name));
                }
            }
        }
        changed.sort();
        Ok(changed)
    }

    #[test]
    fn a_policy_is_tried_where_it_is_said() {
        let told = |changed: &[&str]| Ok(changed.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(tried("conflict=prefer b"), told(&["deal.x", "person.x", "person.y"]), "one way stays one way");
        assert_eq!(tried("conflict=latest"), told(&["deal.x", "person.x"]));
        assert_eq!(tried("person.on_link=prefer b"), told(&["person.x", "person.y"]));
        assert_eq!(tried("person.x.conflict=b owns"), told(&["person.x"]));
        assert_eq!(tried("on_link=fill blanks"), told(&[]));
        assert_eq!(tried("conflict=max"), told(&[]), "nothing here has an order");
        assert_eq!(tried("person.y.conflict=blank never wins"), told(&["person.y"]));
    }

    #[test]
    fn what_cannot_be_tried_is_said() {
        for (text, said) in [
            ("conflict", "nothing to try; write conflict=POLICY"),
            ("direction=from a", "nothing to try"),
            ("a.b.c.conflict=latest", "nothing to try"),
            (".conflict=latest", "nothing to try"),
            ("conflict=newest", "no policy"),
            ("on_link=latest", "keeps no history of `x`"),
            ("conflict=prefer warehouse", "no system `warehouse`; write one of a, b"),
            ("persn.conflict=latest", "no entity `persn`; did you mean `person`?"),
            ("person.birthday.conflict=latest", "no field `birthday`; write one of y, z, x"),
            ("person.z.conflict=latest", "goes one way"),
            ("person.x.conflict=max", "decides nothing about `x`, of type text; try one that its type allows"),
        ] {
            let error = tried(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
