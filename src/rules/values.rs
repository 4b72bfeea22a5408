//! Value maps and defaults of fields: compiled and checked.

use super::builder::Checks;
use super::error::Fault;
use super::nearest::nearest;
use super::spec::{DefaultSpec, FieldSpec, ValueRow};
use super::{Binding, FieldBinding};
use crate::model::{FieldKind, Home, Raw, SystemId, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Fills the value maps and defaults of a field's bindings.
pub(super) fn compile(
    spec: &FieldSpec,
    kind: &FieldKind,
    at: &str,
    bindings: &mut [FieldBinding],
    checks: &mut Checks,
) {
    let mut field = FieldValues { spec, kind, at, bindings, checks };
    if !spec.values.is_empty() && !matches!(kind, FieldKind::Enum | FieldKind::Set | FieldKind::Refs { .. }) {
        field.fault("values", Fault::ValuesOfOtherKind { kind: kind.name() });
        return;
    }
    let sound = field.rows();
    if sound {
        field.complete();
        field.steady();
        field.defaults();
    }
}

struct FieldValues<'a> {
    spec: &'a FieldSpec,
    kind: &'a FieldKind,
    at: &'a str,
    bindings: &'a mut [FieldBinding],
    checks: &'a mut Checks,
}

impl FieldValues<'_> {
    fn fault(&mut self, at: &str, fault: Fault) {
        self.checks.fault(format!("{}.{at}", self.at), fault);
    }

    fn system_name(&self, id: SystemId) -> String {
        self.checks.name(id)
    }

    /// Sorts the rows into the bindings; false if some row is unusable.
    fn rows(&mut self) -> bool {
        let mut sound = true;
        for (index, row) in self.spec.values.iter().enumerate() {
            let at = format!("values[{index}]");
            let fault = self.row_fault(row).or_else(|| (!self.add(row)).then_some(Fault::ValueUseless));
            if let Some(fault) = fault {
                self.fault(&at, fault);
                sound = false;
            }
        }
        sound
    }

    fn row_fault(&self, row: &ValueRow) -> Option<Fault> {
        if row.at.is_empty() || row.at.len() == 1 && row.is.is_none() {
            return Some(Fault::ValueAlone { found: row.at.len() });
        }
        if row.at.iter().map(|(_, option)| option).chain(&row.is).any(|option| option_text(option).is_none()) {
            return Some(Fault::ValueBlank);
        }
        let mut options = row.at.iter().map(|(_, option)| option).chain(&row.is);
        if let Some(option) = options.find(|option| *self.kind == FieldKind::Set && option.contains(';')) {
            return Some(Fault::ValueParts { option: option.clone() });
        }
        for (index, (name, _)) in row.at.iter().enumerate() {
            let system = SystemId::of(name);
            if !self.bindings.iter().any(|binding| binding.system == system) {
                let known: Vec<String> = self.bindings.iter().map(|b| self.system_name(b.system)).collect();
                let near = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
                return Some(Fault::UnknownSystem { name: name.clone(), near, known });
            }
            if row.at[..index].iter().any(|(other, _)| other == name) {
                return Some(Fault::Twice { what: "system", name: name.clone() });
            }
        }
        None
    }

    /// Adds a sound row; false if it has no effect.
    fn add(&mut self, row: &ValueRow) -> bool {
        let first = row.at.iter().min_by(|a, b| a.0.cmp(&b.0)).map(|(_, option)| option);
        let Some(canonical) = row.is.as_ref().or(first).and_then(|name| option_text(name)) else { return false };
        let mut effect = false;
        for (name, option) in &row.at {
            let system = SystemId::of(name);
            let Some(binding) = self.bindings.iter_mut().find(|binding| binding.system == system) else { continue };
            let Some(option) = option_text(option) else { continue };
            effect |= !binding.values.iter().any(|(_, theirs)| *theirs == option)
                || !binding.values.iter().any(|(ours, _)| *ours == canonical);
            binding.values.push((canonical.clone(), option));
        }
        effect
    }

    /// Each canonical name can be written to each system that has a map.
    fn complete(&mut self) {
        let all: BTreeSet<String> =
            self.bindings.iter().flat_map(|binding| binding.values.iter().map(|(ours, _)| ours.clone())).collect();
        let mut faults = Vec::new();
        for binding in self.bindings.iter().filter(|binding| !binding.values.is_empty()) {
            for canonical in &all {
                if written(binding, canonical).is_none() {
                    let system = self.system_name(binding.system);
                    faults.push(Fault::ValueMissing { canonical: canonical.clone(), system });
                }
            }
        }
        faults.into_iter().for_each(|fault| self.fault("values", fault));
    }

    /// What is read and written back is read as the same again: no read may start a write.
    fn steady(&mut self) {
        let mut faults = Vec::new();
        for binding in self.bindings.iter() {
            for (_, shown) in &binding.values {
                let Some(canonical) = read(binding, shown) else { continue };
                let Some(written) = written(binding, canonical) else { continue };
                let Some(back) = read(binding, written).filter(|back| *back != canonical) else { continue };
                let fault = Fault::ValueDrifts {
                    system: self.system_name(binding.system),
                    shown: shown.clone(),
                    canonical: canonical.to_owned(),
                    written: written.to_owned(),
                    back: back.to_owned(),
                };
                if !faults.contains(&fault) {
                    faults.push(fault);
                }
            }
        }
        faults.into_iter().for_each(|fault| self.fault("values", fault));
    }

    fn defaults(&mut self) {
        if self.spec.default.is_some() && matches!(self.kind, FieldKind::Ref { .. } | FieldKind::Refs { .. }) {
            return self.fault("default", Fault::DefaultRefers);
        }
        match &self.spec.default {
            None => {}
            Some(DefaultSpec::Everywhere(raw)) => {
                for index in 0..self.bindings.len() {
                    // One fault is enough for all systems.
                    match self.default(&self.bindings[index], raw, false) {
                        Ok(value) => self.bindings[index].default = Some(value),
                        Err(fault) => return self.fault("default", fault),
                    }
                }
            }
            Some(DefaultSpec::At(defaults)) => {
                for (name, raw) in defaults {
                    let at = format!("default.{name}");
                    let system = SystemId::of(name);
                    let Some(index) = self.bindings.iter().position(|binding| binding.system == system) else {
                        let known: Vec<String> = self.bindings.iter().map(|b| self.system_name(b.system)).collect();
                        let near = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
                        self.fault(&at, Fault::UnknownSystem { name: name.clone(), near, known });
                        continue;
                    };
                    match self.default(&self.bindings[index], raw, true) {
                        Ok(value) => self.bindings[index].default = Some(value),
                        Err(fault) => self.fault(&at, fault),
                    }
                }
            }
        }
    }

    /// The canonical default of a binding; `theirs`: given as the system writes it, else a canonical name comes first.
    fn default(&self, binding: &FieldBinding, raw: &Raw, theirs: bool) -> Result<Value, Fault> {
        let unfit = |reason: String| Fault::DefaultUnfit { reason };
        let kind = if *self.kind == FieldKind::Owner { &FieldKind::Email } else { self.kind };
        let value = kind.read(raw).map_err(|error| unfit(error.to_string()))?;
        if value.is_null() {
            return Err(unfit("blank".to_owned()));
        }
        match value {
            Value::Enum(option) => {
                self.default_option(binding, &option, theirs).map(|option| Value::Enum(option.into()))
            }
            Value::Set(options) => {
                let options = options.iter().map(|option| self.default_option(binding, option, theirs));
                Ok(Value::set(options.collect::<Result<Vec<_>, _>>()?))
            }
            value => Ok(value),
        }
    }

    fn default_option(&self, binding: &FieldBinding, option: &str, theirs: bool) -> Result<String, Fault> {
        if binding.values.is_empty() {
            return Ok(option.to_owned());
        }
        let is_canonical = written(binding, option).is_some();
        if is_canonical && !theirs {
            return Ok(option.to_owned());
        }
        if let Some(canonical) = read(binding, option) {
            return match written(binding, canonical) {
                Some(written) if written != option => Err(Fault::DefaultDrifts {
                    system: self.system_name(binding.system),
                    value: option.to_owned(),
                    written: written.to_owned(),
                }),
                _ => Ok(canonical.to_owned()),
            };
        }
        if is_canonical {
            return Ok(option.to_owned());
        }
        let near = nearest(option, binding.values.iter().flat_map(|(ours, theirs)| [&**theirs, &**ours]));
        Err(Fault::DefaultUnmapped { value: option.to_owned(), near: near.map(str::to_owned) })
    }
}

/// What new records get besides the fields, which own their properties alone. `taken` = which field owns which.
pub(super) fn constants(bindings: &[Binding], taken: &BTreeMap<(Home, String), &str>, at: &str, checks: &mut Checks) {
    for binding in bindings {
        let system = checks.name(binding.system);
        let mut seen = BTreeSet::new();
        for (property, value) in &binding.on_create {
            let at = format!("{at}.at.{system}.on_create.{property}");
            let (system, property) = (system.clone(), property.clone());
            if property.trim().is_empty() {
                checks.fault(at, Fault::Blank { what: "the property" });
            } else if binding.external_id.as_ref() == Some(&property) {
                checks.fault(at, Fault::PropertyIsExternalId { system, property });
            } else if let Some(by) = taken.get(&(binding.home(), property.clone())) {
                let by = (*by).to_owned();
                checks.fault(at, Fault::PropertyTaken { system, property, by });
            } else if FieldKind::Text.read(value).is_ok_and(|value| value.is_null()) {
                checks.fault(at, Fault::ConstantBlank);
            } else if !seen.insert(property.clone()) {
                checks.fault(at, Fault::Twice { what: "property", name: property });
            }
        }
    }
}

fn read<'a>(binding: &'a FieldBinding, shown: &str) -> Option<&'a str> {
    binding.values.iter().find(|(_, theirs)| theirs == shown).map(|(ours, _)| &**ours)
}

fn written<'a>(binding: &'a FieldBinding, canonical: &str) -> Option<&'a str> {
    binding.values.iter().find(|(ours, _)| ours == canonical).map(|(_, theirs)| &**theirs)
}

/// An option as it is read, none if it is blank.
pub(super) fn option_text(option: &str) -> Option<String> {
    match FieldKind::Enum.read(&Raw::Text(option.into())) {
        Ok(Value::Enum(option)) => Some(option.into()),
        _ => None,
    }
}
