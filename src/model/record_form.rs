//! The stored form of a record. Bodies are the bulk of a store, and five of a usual size fit into a page only if they are lean:
//! ids by hash take their four bytes, a stamp that several registers share stands once, and what is mostly absent takes one byte.

use super::{FieldId, Millis, ObjectId, Record, Register, RemoteId, Side, Stamp, SystemId, Value};
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

/// The stamps of a record, each once, in the order in which its registers first have them; and each register's place among them.
fn stamps(registers: &[Register]) -> (Vec<Stamp>, Vec<u32>) {
    let mut stamps: Vec<Stamp> = Vec::new();
    let place = |register: &Register| {
        let stamp = register.reg.marker;
        let known = stamps.iter().rposition(|known| *known == stamp);
        let at = known.unwrap_or(stamps.len());
        if known.is_none() {
            stamps.push(stamp);
        }
        at as u32
    };
    let places = registers.iter().map(place).collect();
    (stamps, places)
}

impl Encode for Record {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.id.encode(encoder)?;
        encode_id(self.entity.0, encoder)?;
        let (stamps, places) = stamps(&self.registers);
        stamps.encode(encoder)?;
        (self.registers.len() as u64).encode(encoder)?;
        for (register, place) in self.registers.iter().zip(places) {
            encode_id(register.field.0, encoder)?;
            place.encode(encoder)?;
            register.reg.val.encode(encoder)?;
        }
        self.sides.encode(encoder)
    }
}

impl<C> Decode<C> for Record {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let (id, entity) = (Decode::decode(decoder)?, super::EntityId(decode_id(decoder)?));
        let stamps = Vec::<Stamp>::decode(decoder)?;
        let count = u64::decode(decoder)?;
        // A register has a byte at least, so a hostile count is no allocation.
        let room = usize::try_from(count).map_err(|_| DecodeError::OutsideUsizeRange(count))?;
        let mut registers = Vec::with_capacity(room.min(1_024));
        for _ in 0..room {
            let (field, place) = (FieldId(decode_id(decoder)?), u32::decode(decoder)?);
            let marker = stamps.get(place as usize).ok_or(DecodeError::Other("a stamp that is not there"))?;
            registers.push(Register { field, reg: LWWReg { val: Value::decode(decoder)?, marker: *marker } });
        }
        let sides = Vec::<Side>::decode(decoder)?;
        let ascending = registers.windows(2).all(|pair| pair[0].field < pair[1].field)
            && sides.windows(2).all(|pair| pair[0].system < pair[1].system);
        if !ascending {
            return Err(DecodeError::Other("registers or sides out of order"));
        }
        Ok(Self { id, entity, registers, sides })
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
