//! Writing a table anew, in order: what grew row by row stands in pages that are half empty, and the library moves pages, not rows.

use super::error::{StoreError, failed};
use super::open::begin_write;
use super::tables::Table;
use redb::{Database, ReadableTable, ReadableTableMetadata, TableDefinition};
use std::ops::Bound;

const PACKED: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("packing");

/// Packs every table of which more than a tenth is air; true if there was one. Each in a transaction of its own, all or nothing.
pub(super) fn all(database: &Database) -> Result<bool, StoreError> {
    let mut any = false;
    for table in Table::ALL {
        any |= one(database, table)?;
    }
    Ok(any)
}

fn one(database: &Database, table: Table) -> Result<bool, StoreError> {
    let transaction = begin_write(database)?;
    {
        let rows = transaction.open_table(table.definition()).map_err(failed)?;
        let stats = rows.stats().map_err(failed)?;
        // Less than some pages is not worth the while.
        if stats.leaf_pages() < 16 || stats.fragmented_bytes() < stats.stored_bytes() / 10 {
            drop(rows);
            transaction.abort().map_err(failed)?;
            return Ok(false);
        }
        let mut packed = transaction.open_table(PACKED).map_err(failed)?;
        let mut end = packed.upper_bound_mut(Bound::<&[u8]>::Unbounded).map_err(failed)?;
        for row in rows.iter().map_err(failed)? {
            let (key, value) = row.map_err(failed)?;
            end.insert_before(key.value(), value.value()).map_err(failed)?;
        }
        end.close().map_err(failed)?;
    }
    transaction.delete_table(table.definition()).map_err(failed)?;
    transaction.rename_table(PACKED, table.definition()).map_err(failed)?;
    transaction.commit().map_err(failed)?;
    Ok(true)
}
