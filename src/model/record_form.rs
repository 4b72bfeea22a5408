//! The stored form of a record. Bodies are the bulk of a store, and five of a usual size fit into a page only if they are lean:
//! ids by hash take their four bytes, the stamp that most registers share stands once and is not referred to, what is mostly absent takes
//! one byte, and the record's own name is its key.

use super::{EntityId, FieldId, Millis, ObjectId, Record, RecordId, Register, RemoteId, Side, Stamp, SystemId, Value};
use crate::codec::{
    BorrowDecode, BorrowDecoder, Decode, DecodeError, Decoder, Encode, EncodeError, Encoder, decode_bytes, encode_bytes,
};
use crdts::LWWReg;

fn encode_id<E: Encoder>(id: u32, encoder: &mut E) -> Result<(), EncodeError> {
    encode_bytes(&id.to_be_bytes(), encoder)
}

fn decode_id<D: Decoder>(decoder: &mut D) -> Result<u32, DecodeError> {
    Ok(u32::from_be_bytes(decode_bytes(decoder)?))
}

/// What is stored of a record under its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// As in [`Record`].
    pub registers: Vec<Register>,
    /// As in [`Record`].
    pub sides: Vec<Side>,
}

impl Body {
    /// The record that has this name.
    pub fn named(self, entity: EntityId, id: RecordId) -> Record {
        Record { id, entity, registers: self.registers, sides: self.sides }
    }
}

impl From<Record> for Body {
    fn from(record: Record) -> Self {
        Self { registers: record.registers, sides: record.sides }
    }
}

/// As [`Body`], where it stands.
pub(crate) struct BodyOf<'r>(pub &'r [Register], pub &'r [Side]);

/// The stamps of some registers, each once, that which most of them have first; and which registers have another one than that.
fn stamps(registers: &[Register]) -> (Vec<Stamp>, Vec<(u32, u32)>) {
    let mut counts: Vec<(Stamp, usize)> = Vec::new();
    for register in registers {
        match counts.iter_mut().rfind(|(stamp, _)| *stamp == register.reg.marker) {
            Some((_, count)) => *count += 1,
            None => counts.push((register.reg.marker, 1)),
        }
    }
    // The sort is stable: of those that are as frequent, the one that comes first.
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let stamps: Vec<Stamp> = counts.into_iter().map(|(stamp, _)| stamp).collect();
    let place = |register: &Register| stamps.iter().position(|stamp| *stamp == register.reg.marker).unwrap_or(0);
    let others =
        (0..).zip(registers).map(|(at, register)| (at, place(register) as u32)).filter(|(_, place)| *place > 0);
    let others = others.collect();
    (stamps, others)
}

impl Encode for BodyOf<'_> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        let Self(registers, sides) = self;
        let (stamps, others) = stamps(registers);
        stamps.encode(encoder)?;
        others.encode(encoder)?;
        (registers.len() as u64).encode(encoder)?;
        for register in *registers {
            encode_id(register.field.0, encoder)?;
            register.reg.val.encode(encoder)?;
        }
        sides.encode(encoder)
    }
}

impl Encode for Body {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        BodyOf(&self.registers, &self.sides).encode(encoder)
    }
}

impl<C> Decode<C> for Body {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let stamps = Vec::<Stamp>::decode(decoder)?;
        let others = Vec::<(u32, u32)>::decode(decoder)?;
        let count = u64::decode(decoder)?;
        // A register has a byte at least, so a hostile count is no allocation.
        let room = usize::try_from(count).map_err(|_| DecodeError::OutsideUsizeRange(count))?;
        let mut registers = Vec::with_capacity(room.min(1_024));
        let mut next = others.iter().peekable();
        for at in 0..room {
            let place = next.next_if(|(of, _)| *of as usize == at).map_or(0, |(_, place)| *place as usize);
            let marker = *stamps.get(place).ok_or(DecodeError::Other("a stamp that is not there"))?;
            let field = FieldId(decode_id(decoder)?);
            registers.push(Register { field, reg: LWWReg { val: Value::decode(decoder)?, marker } });
        }
        if next.next().is_some() {
            return Err(DecodeError::Other("a stamp of no register"));
        }
        let sides = Vec::<Side>::decode(decoder)?;
        let ascending = registers.windows(2).all(|pair| pair[0].field < pair[1].field)
            && sides.windows(2).all(|pair| pair[0].system < pair[1].system);
        if !ascending {
            return Err(DecodeError::Other("registers or sides out of order"));
        }
        Ok(Self { registers, sides })
    }
}

impl Encode for Record {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.id.encode(encoder)?;
        encode_id(self.entity.0, encoder)?;
        BodyOf(&self.registers, &self.sides).encode(encoder)
    }
}

impl<C> Decode<C> for Record {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let (id, entity) = (Decode::decode(decoder)?, EntityId(decode_id(decoder)?));
        Ok(Body::decode(decoder)?.named(entity, id))
    }
}

impl Encode for Side {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        encode_id(self.system.0, encoder)?;
        encode_id(self.object.0, encoder)?;
        self.remote.encode(encoder)?;
        self.state.encode(encoder)?;
        self.settled.encode(encoder)?;
        (self.made != Millis::MIN).then_some(self.made).encode(encoder)?;
        self.unbased.encode(encoder)?;
        self.differs.encode(encoder)
    }
}

impl<C> Decode<C> for Side {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let (system, object) = (SystemId(decode_id(decoder)?), ObjectId(decode_id(decoder)?));
        let remote = RemoteId::decode(decoder)?;
        let (state, settled) = (Decode::decode(decoder)?, Decode::decode(decoder)?);
        let made = Option::<Millis>::decode(decoder)?.unwrap_or(Millis::MIN);
        let (unbased, differs) = (Decode::decode(decoder)?, Decode::decode(decoder)?);
        Ok(Self { system, object, remote, state, settled, made, unbased, differs })
    }
}

impl<'de, C> BorrowDecode<'de, C> for Body {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}

impl<'de, C> BorrowDecode<'de, C> for Record {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}

impl<'de, C> BorrowDecode<'de, C> for Side {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}
