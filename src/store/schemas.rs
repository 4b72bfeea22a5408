//! What the systems said of their objects when they were last asked: so that one can see what they have changed since.

use super::error::{StoreError, failed};
use super::open::Store;
use super::tables::{Stored, Table, read, read_key};
use super::{Snapshot, key};
use crate::model::{Millis, ObjectId, ObjectSchema, SeenSchema, SystemId};
use redb::ReadableDatabase;
use std::ops::Bound;
use std::path::Path;

/// What was seen of every system's objects.
pub type SeenSchemas = Vec<(SystemId, SeenSchema)>;

impl Store {
    /// Remembers what systems say of their objects now, in a commit of its own.
    ///
    /// # Errors
    /// If it cannot be written; nothing is then changed.
    pub fn see_schemas(&self, now: Millis, seen: &[(SystemId, ObjectSchema)]) -> Result<(), StoreError> {
        self.transact(|transaction| {
            let mut table = transaction.open_table(Table::Schemas.definition()).map_err(failed)?;
            let mut bytes = Vec::new();
            for (system, schema) in seen {
                bytes.clear();
                SeenSchema::new(now, schema.clone()).put(&mut bytes);
                let key = key::schema(*system, ObjectId::of(&schema.object));
                table.insert(key.as_slice(), bytes.as_slice()).map_err(failed)?;
            }
            Ok(())
        })
    }

    /// Reads what was seen from a store's file, opened to read only; one that is not there has seen nothing.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn peek_schemas(path: impl AsRef<Path>) -> Result<SeenSchemas, StoreError> {
        let path = path.as_ref();
        if !path.try_exists()? {
            return Ok(Vec::new());
        }
        Self::peek(path, |database| {
            let transaction = database.begin_read().map_err(failed)?;
            match transaction.open_table(Table::Schemas.definition()) {
                Err(redb::TableError::TableDoesNotExist(_)) => Ok(Vec::new()),
                Err(error) => Err(failed(error)),
                Ok(table) => {
                    let rows = redb::ReadableTable::iter(&table).map_err(failed)?;
                    rows.map(|row| {
                        let (key, bytes) = row.map_err(failed)?;
                        one(key.value(), bytes.value())
                    })
                    .collect()
                }
            }
        })
    }
}

impl Snapshot {
    /// What was seen of every system's objects.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn schemas(&self) -> Result<SeenSchemas, StoreError> {
        let rows = self.range(Table::Schemas, Bound::Unbounded, Bound::Unbounded)?;
        rows.map(|row| {
            let (key, bytes) = row?;
            one(key.value(), bytes.value())
        })
        .collect()
    }
}

fn one(key: &[u8], bytes: &[u8]) -> Result<(SystemId, SeenSchema), StoreError> {
    let (system, _) = read_key(Table::Schemas, key, |parts| Some((parts.system()?, parts.object()?)))?;
    Ok((system, read(Table::Schemas, key, bytes)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PropertySchema, PropertyType};
    use crate::store::OpenOptions;

    fn schema(object: &str, names: &[&str]) -> ObjectSchema {
        let property = |name: &&str| PropertySchema {
            name: (*name).to_owned(),
            label: String::new(),
            kind: PropertyType::Text,
            writable: true,
            required: false,
            unique: false,
            length: None,
            precision: None,
            scale: None,
            options: Vec::new(),
            refers_to: Vec::new(),
            choices: Vec::new(),
        };
        ObjectSchema { object: object.to_owned(), properties: names.iter().map(property).collect() }
    }

    #[test]
    fn one_row_a_system_and_object_is_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.redb");
        assert_eq!(Store::peek_schemas(&path).unwrap(), [], "a store that is not there has seen nothing");
        assert!(!path.exists());
        let store = Store::create_or_open(&path, Millis(1), &OpenOptions::default()).unwrap();
        let (a, b) = (SystemId(1), SystemId(2));
        store.see_schemas(Millis(5), &[(a, schema("contacts", &["x"])), (b, schema("contacts", &["y"]))]).unwrap();
        store.see_schemas(Millis(6), &[(a, schema("contacts", &["z", "a"])), (a, schema("deals", &[]))]).unwrap();
        let mut seen = store.snapshot().unwrap().schemas().unwrap();
        assert!(matches!(Store::peek_schemas(&path), Err(StoreError::InUse { .. })));
        store.check().unwrap();
        store.close().unwrap();
        assert_eq!(Store::peek_schemas(&path).unwrap(), seen);
        seen.sort_by_key(|(system, seen)| (*system, seen.schema.object.clone()));
        let told: Vec<_> = seen.iter().map(|(system, seen)| (system.0, seen.seen.0, &*seen.schema.object)).collect();
        assert_eq!(told, [(1, 6, "contacts"), (1, 6, "deals"), (2, 5, "contacts")]);
        assert_eq!(seen[0].1.schema, schema("contacts", &["a", "z"]), "by name");
        assert_eq!(seen[0].1.fingerprint, SeenSchema::new(Millis(9), schema("contacts", &["a", "z"])).fingerprint);
    }

    #[test]
    fn a_store_of_an_older_program_is_given_the_table() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.redb");
        Store::create_or_open(&path, Millis(1), &OpenOptions::default()).unwrap().close().unwrap();
        let database = redb::Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        for table in [Table::Schemas, Table::Reviews, Table::Ignored, Table::Leaves, Table::Roots] {
            assert!(transaction.delete_table(table.definition()).unwrap());
        }
        transaction.commit().unwrap();
        drop(database);
        assert_eq!(Store::peek_schemas(&path).unwrap(), []);
        let store = Store::open(&path, &OpenOptions::default()).unwrap();
        store.see_schemas(Millis(5), &[(SystemId(1), schema("contacts", &["x"]))]).unwrap();
        store.check().unwrap();
        store.close().unwrap();
        assert_eq!(Store::peek_schemas(&path).unwrap().len(), 1);
    }
}
