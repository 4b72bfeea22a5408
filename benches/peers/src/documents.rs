//! Document CRDTs: a document a record, a map of fields in it. Updates come in as bytes, as they do over a wire.

use crate::peer::{FIELDS, Peer, ready};
use crate::world::{Edits, values_digest};
use syncline::model::Digest;

/// A kind of document.
pub trait Document: Sized {
    const NAME: &'static str;
    const STORES: &'static str;

    /// With these fields, and the same once more for the other side.
    fn pair(fields: &[(String, String)]) -> (Self, Self);

    /// Somebody changes some fields: the update that says so.
    fn edit(&mut self, fields: &[(String, String)]) -> Vec<u8>;

    fn merge(&mut self, update: &[u8]);

    fn value(&self, field: &str) -> String;
}

/// A document a record, on both sides.
pub struct Documents<D> {
    edits: Edits,
    theirs: Vec<D>,
    ours: Vec<D>,
    next: Vec<(usize, Vec<u8>)>,
}

fn name(field: u32) -> String {
    format!("property_{field}")
}

impl<D: Document> Documents<D> {
    pub fn of(n: usize) -> Self {
        let edits = Edits::of(n);
        let fields = |number| -> Vec<(String, String)> {
            (0..FIELDS as u32).map(|field| (name(field), edits.value(number, field))).collect()
        };
        let (theirs, ours) = (0..n).map(|number| D::pair(&fields(number))).unzip();
        Self { edits, theirs, ours, next: Vec::new() }
    }
}

impl<D: Document> Peer for Documents<D> {
    fn name(&self) -> &'static str {
        D::NAME
    }

    fn stores(&self) -> &'static str {
        D::STORES
    }

    fn prepare(&mut self, _: usize, most: usize) {
        let edited = ready(&mut self.edits, most).into_iter();
        let updates = edited.map(|edited| {
            let fields = edited.fields.map(|(field, value)| (name(field), value));
            (edited.number, self.theirs[edited.number].edit(&fields))
        });
        self.next = updates.collect();
    }

    fn merge(&mut self, _: usize) {
        for (number, update) in &self.next {
            self.ours[*number].merge(update);
        }
    }

    fn settle(&mut self) {
        self.next.clear();
    }

    fn edits(&self) -> &Edits {
        &self.edits
    }

    fn values(&mut self) -> Digest {
        let fields = |ours| (0..FIELDS as u32).map(move |field| D::value(ours, &name(field)));
        values_digest(self.ours.iter().flat_map(fields))
    }
}

pub struct Yrs(yrs::Doc, yrs::MapRef);

impl Document for Yrs {
    const NAME: &'static str = "yrs, a document a record";
    const STORES: &'static str = "values with Lamport ids, tombstones of what was written over";

    fn pair(fields: &[(String, String)]) -> (Self, Self) {
        let new = |client| {
            let doc = yrs::Doc::with_client_id(client);
            let map = doc.get_or_insert_map("fields");
            Self(doc, map)
        };
        let (mut theirs, mut ours) = (new(1), new(2));
        ours.merge(&theirs.edit(fields));
        (theirs, ours)
    }

    fn edit(&mut self, fields: &[(String, String)]) -> Vec<u8> {
        use yrs::{Map, Transact};
        let mut transaction = self.0.transact_mut();
        for (field, value) in fields {
            self.1.insert(&mut transaction, field.as_str(), value.as_str());
        }
        transaction.encode_update_v1()
    }

    fn merge(&mut self, update: &[u8]) {
        use yrs::Transact;
        use yrs::updates::decoder::Decode;
        let update = yrs::Update::decode_v1(update).expect("an update");
        self.0.transact_mut().apply_update(update).expect("applied");
    }

    fn value(&self, field: &str) -> String {
        use yrs::{Map, Transact};
        let transaction = self.0.transact();
        self.1.get(&transaction, field).expect("loaded").to_string(&transaction)
    }
}

pub struct Loro(loro::LoroDoc);

impl Document for Loro {
    const NAME: &'static str = "loro, a document a record";
    const STORES: &'static str = "values with Lamport ids, all history";

    fn pair(fields: &[(String, String)]) -> (Self, Self) {
        let new = |peer| {
            let doc = loro::LoroDoc::new();
            doc.set_peer_id(peer).expect("a peer");
            Self(doc)
        };
        let (mut theirs, mut ours) = (new(1), new(2));
        ours.merge(&theirs.edit(fields));
        (theirs, ours)
    }

    fn edit(&mut self, fields: &[(String, String)]) -> Vec<u8> {
        let before = self.0.oplog_vv();
        let map = self.0.get_map("fields");
        for (field, value) in fields {
            map.insert(field, value.as_str()).expect("inserted");
        }
        self.0.commit();
        self.0.export(loro::ExportMode::updates(&before)).expect("encoded")
    }

    fn merge(&mut self, update: &[u8]) {
        self.0.import(update).expect("applied");
    }

    fn value(&self, field: &str) -> String {
        let value = self.0.get_map("fields").get(field).expect("loaded").into_value().expect("a value");
        value.into_string().expect("text").to_string()
    }
}

pub struct Automerge(automerge::AutoCommit);

impl Document for Automerge {
    const NAME: &'static str = "automerge, a document a record";
    const STORES: &'static str = "values with Lamport ids, all history, chained by SHA-256";

    fn pair(fields: &[(String, String)]) -> (Self, Self) {
        let mut theirs = Self(automerge::AutoCommit::new());
        theirs.edit(fields);
        let ours = Self(theirs.0.fork());
        (theirs, ours)
    }

    fn edit(&mut self, fields: &[(String, String)]) -> Vec<u8> {
        use automerge::transaction::Transactable;
        for (field, value) in fields {
            self.0.put(automerge::ROOT, field.as_str(), value.as_str()).expect("put");
        }
        self.0.commit();
        self.0.get_last_local_change().expect("a change").raw_bytes().to_vec()
    }

    fn merge(&mut self, update: &[u8]) {
        self.0.load_incremental(update).expect("applied");
    }

    fn value(&self, field: &str) -> String {
        use automerge::ReadDoc;
        let (value, _) = self.0.get(automerge::ROOT, field).expect("readable").expect("loaded");
        value.into_string().expect("text")
    }
}
