#!/usr/bin/env python3
"""A second implementation of the Stormo protocol, written from the specification beside it: frames, messages, batches,
membership messages, hashes. Standard library only.

    stormo_wire.py decode HEX        print the frames in hexadecimal bytes as JSON
    stormo_wire.py check             decode and encode again every vector in vectors/
"""
import hashlib
import hmac
import json
import pathlib
import struct
import sys

MASK = (1 << 64) - 1


# Hashing (hashing.md) -------------------------------------------------------------------------------------------------

P1, P2, P3, P4, P5 = (
    0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)


def _rotate(value, by):
    return ((value << by) | (value >> (64 - by))) & MASK


def _round(accumulator, lane):
    return _rotate((accumulator + lane * P2) & MASK, 31) * P1 & MASK


def xxh64(data, seed=0):
    at, count = 0, len(data)
    if count >= 32:
        lanes = [(seed + P1 + P2) & MASK, (seed + P2) & MASK, seed & MASK, (seed - P1) & MASK]
        while at + 32 <= count:
            for index, lane in enumerate(struct.unpack_from("<4Q", data, at)):
                lanes[index] = _round(lanes[index], lane)
            at += 32
        digest = sum(_rotate(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18))) & MASK
        for lane in lanes:
            digest = ((digest ^ _round(0, lane)) * P1 + P4) & MASK
    else:
        digest = (seed + P5) & MASK
    digest = (digest + count) & MASK
    while at + 8 <= count:
        digest = (_rotate(digest ^ _round(0, struct.unpack_from("<Q", data, at)[0]), 27) * P1 + P4) & MASK
        at += 8
    if at + 4 <= count:
        digest = (_rotate(digest ^ (struct.unpack_from("<I", data, at)[0] * P1 & MASK), 23) * P2 + P3) & MASK
        at += 4
    for byte in data[at:]:
        digest = _rotate(digest ^ (byte * P5 & MASK), 11) * P1 & MASK
    digest = (digest ^ digest >> 33) * P2 & MASK
    digest = (digest ^ digest >> 29) * P3 & MASK
    return digest ^ digest >> 32


def member_tokens(member):
    return [xxh64(struct.pack("<Q", member["id"]), index) for index in range(member["virtual_nodes"])]


def replicas(layout, token):
    """The replica set of a token, as ids in order."""
    points = sorted((t, m["id"]) for m in layout["members"] for t in member_tokens(m))
    zone = {m["id"]: m["zone"] for m in layout["members"]}
    wanted = min(layout["replication_factor"], len(zone))
    start = next((i for i, p in enumerate(points) if p[0] >= token), 0)
    walk = list(dict.fromkeys(owner for _, owner in points[start:] + points[:start]))
    chosen, skipped = [], []
    for owner in walk:
        used = {zone[c] for c in chosen}
        unused_left = len(used) < len(set(zone.values()))
        (skipped if unused_left and zone[owner] in used else chosen).append(owner)
        if len(chosen) == wanted:
            break
    return (chosen + skipped)[:wanted]


def next_replicas(ring, token):
    """The replica set that a token's keys move to, as ids in order; None when they stay where they are."""
    if ring["next"] is None:
        return None
    found = replicas(ring["next"], token)
    return None if set(found) == set(replicas(ring["layout"], token)) else found


def distance(stretch, token):
    """How far behind the first token of a stretch a token lies, going up and on from the beginning."""
    return (token - stretch["after"] - 1) & MASK


def contains(stretch, token):
    return distance(stretch, token) <= distance(stretch, stretch["through"])


def register_hash(key, ballot):
    return xxh64(key + struct.pack("<QQ", ballot["time"], ballot["node"]))


def tree_leaves(stretch, count, registers):
    """The leaves of a Merkle tree over (key, accepted ballot or None)."""
    step = distance(stretch, stretch["through"]) // count
    leaves = [0] * (count if step else 1)
    for key, ballot in registers:
        token = xxh64(key)
        if ballot is not None and contains(stretch, token):
            place = min(distance(stretch, token) // step, count - 1) if step else 0
            leaves[place] ^= register_hash(key, ballot)
    return leaves


# LZ4 blocks -----------------------------------------------------------------------------------------------------------

def lz4_decompress(block, raw_count):
    out, at = bytearray(), 0

    def length(nibble):
        nonlocal at
        total = nibble
        if nibble == 15:
            while True:
                total += block[at]
                at += 1
                if block[at - 1] != 255:
                    break
        return total

    try:
        while True:
            token = block[at]
            at += 1
            literals = length(token >> 4)
            if at + literals > len(block):
                raise WireError("decompression")
            out += block[at:at + literals]
            at += literals
            if at == len(block):
                break
            offset = block[at] | block[at + 1] << 8
            at += 2
            count = length(token & 15) + 4
            if offset == 0 or offset > len(out) or len(out) + count > raw_count:
                raise WireError("decompression")
            for _ in range(count):
                out.append(out[-offset])
    except IndexError:
        raise WireError("decompression") from None
    if len(out) != raw_count:
        raise WireError("decompression")
    return bytes(out)


# Encodings (messages.md) ----------------------------------------------------------------------------------------------

class WireError(Exception):
    """Bytes that are not this protocol. `kind` is the word used in vectors/malformed.json."""

    def __init__(self, kind, detail=""):
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind = kind


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if len(self.data) - self.at < count:
            raise WireError("truncated", f"{count} bytes needed at {self.at}")
        self.at += count
        return self.data[self.at - count:self.at]


class Int:
    def __init__(self, code, low=0, high=MASK):
        self.code, self.low, self.high = "<" + code, low, high

    def write(self, value):
        return struct.pack(self.code, value)

    def read(self, reader):
        value = struct.unpack(self.code, reader.take(struct.calcsize(self.code)))[0]
        if not self.low <= value <= self.high:
            raise WireError("invalid", f"{value} is not within {self.low} to {self.high}")
        return value


U8, U16, U32, U64 = Int("B"), Int("H"), Int("I"), Int("Q")


class Bool(Int):
    def __init__(self):
        super().__init__("B", 0, 1)

    def write(self, value):
        return bytes([1 if value else 0])

    def read(self, reader):
        return super().read(reader) == 1


class Bytes:
    """Bytes behind a length of the given width (None: of fixed count; 0: the rest), as hexadecimal text."""

    def __init__(self, code, max, min=0):
        self.code, self.max, self.min = code, max, min

    def write(self, value):
        data = bytes.fromhex(value)
        return (struct.pack("<" + self.code, len(data)) if self.code else b"") + data

    def read(self, reader):
        if self.code:
            count = struct.unpack("<" + self.code, reader.take(struct.calcsize(self.code)))[0]
        else:
            count = self.max if self.code is None else len(reader.data) - reader.at
        if not self.min <= count <= self.max:
            raise WireError("over limit" if count > self.max else "invalid", f"{count} bytes")
        return reader.take(count).hex()


class Text:
    def __init__(self, max=255):
        self.max = max

    def write(self, value):
        data = value.encode()
        return struct.pack("<H", len(data)) + data

    def read(self, reader):
        count = struct.unpack("<H", reader.take(2))[0]
        if count > self.max:
            raise WireError("over limit", f"{count} bytes of text")
        try:
            return reader.take(count).decode()
        except UnicodeDecodeError:
            raise WireError("invalid", "not UTF-8") from None


class Opt:
    def __init__(self, inner):
        self.inner = inner

    def write(self, value):
        return b"\0" if value is None else b"\1" + self.inner.write(value)

    def read(self, reader):
        return self.inner.read(reader) if BOOL.read(reader) else None


class List:
    def __init__(self, inner, max=65_536):
        self.inner, self.max = inner, max

    def write(self, value):
        return struct.pack("<I", len(value)) + b"".join(self.inner.write(item) for item in value)

    def read(self, reader):
        count = U32.read(reader)
        if count > self.max:
            raise WireError("over limit", f"{count} elements")
        return [self.inner.read(reader) for _ in range(count)]


class Ascending(List):
    """A list of integers in order, each once."""

    def read(self, reader):
        values = super().read(reader)
        if any(a >= b for a, b in zip(values, values[1:])):
            raise WireError("invalid", "not in order, or one twice")
        return values


class Struct:
    def __init__(self, **fields):
        self.fields = fields

    def write(self, value):
        return b"".join(kind.write(value[name]) for name, kind in self.fields.items())

    def read(self, reader):
        return {name: kind.read(reader) for name, kind in self.fields.items()}


class Union:
    """A byte that chooses among structures; in JSON, the structure with `kind`."""

    def __init__(self, **cases):
        self.cases = cases

    def write(self, value):
        number, inner = self.cases[value["kind"]]
        return bytes([number]) + inner.write(value)

    def read(self, reader):
        number = U8.read(reader)
        for name, (own, inner) in self.cases.items():
            if own == number:
                return {"kind": name, **inner.read(reader)}
        raise WireError("invalid", f"{number} is no kind")


BOOL = Bool()
KEY = Bytes("H", 512, 1)
PREFIX = Bytes("H", 512)
VALUE = Bytes("I", 1 << 20)
BALLOT = Struct(time=U64, node=U64)
CONTENT = Union(tombstone=(0, Struct()), value=(1, Struct(bytes=VALUE)))
CELL = Struct(version=BALLOT, base=Opt(BALLOT), expiry_ms=U64, content=CONTENT)
ACCEPTED = Struct(ballot=BALLOT, cell=CELL)
CLUSTER_ID = Struct(high=U64, low=U64)
IDENTITY = Struct(
    role=Int("B", 1, 4), id=U64, name=Text(), incarnation=U64, address=Text(), zone=Text())
LAYOUT = Struct(
    replication_factor=Int("H", 1),
    members=List(Struct(id=U64, name=Text(), address=Text(), zone=Text(), virtual_nodes=Int("H", 1, 1_024)), 64))
RING = Struct(cluster_id=CLUSTER_ID, epoch=U32, layout=LAYOUT, next=Opt(LAYOUT), acceptors=Ascending(U64, 5))
RANGE = Struct(after=U64, through=U64)
MEMBER_STATE = Int("B", 1, 4)
CONSISTENCY = Int("B", 1, 6)
CONDITION = Union(none=(0, Struct()), absent=(1, Struct()), version=(2, Struct(version=BALLOT)))


class Ttl(Int):
    """Milliseconds, 0 for none."""

    def __init__(self):
        super().__init__("Q")

    def read(self, reader):
        value = super().read(reader)
        if value and not 1_000 <= value <= 3_653 * 86_400_000:
            raise WireError("invalid", f"time to live of {value} ms")
        return value


LEASE_MS = Int("Q", 1_000, 3_600_000)
CHANGE = Union(
    put=(1, Struct(value=VALUE, ttl_ms=Ttl(), condition=CONDITION)),
    delete=(2, Struct(condition=CONDITION)),
    acquire=(3, Struct(owner=Text(), lease_ms=LEASE_MS)),
    renew=(4, Struct(token=BALLOT, lease_ms=LEASE_MS)),
    release=(5, Struct(token=BALLOT)))
PARTITION = Struct(topic=U64, index=U32)
TOPIC_CONFIGURATION = Struct(
    partitions=Int("I", 1, 1_024), replication_factor=Int("H", 1), min_in_sync=U16, retention_ms=U64, retention_bytes=U64,
    cleanup=Int("B", 0, 1))
PARTITION_INFO = Struct(
    index=U32, epoch=U32, primary=U64, replicas=List(U64, 64), in_sync=List(U64, 64), first_offset=U64, high_watermark=U64,
    bytes=U64)
TOPIC_INFO = Struct(
    name=Text(), id=U64, configuration=TOPIC_CONFIGURATION, partitions=List(PARTITION_INFO, 1_024))
BATCH = Struct(
    base_offset=U64, epoch=U32, appended_ms=U64, checksum=U32, producer_id=U64, sequence=U64, count=Int("I", 1), timestamp_ms_max=U64,
    codec=Int("B", 0, 7), raw_count=Int("I", 0, 5 << 20), payload=Bytes("I", 5 << 20))
PRODUCER = Struct(producer_id=Int("Q", 1), sequence=U64, count=U32, base_offset=U64, appended_ms=U64)
HELLO = Struct(
    version_min=U16, version_max=U16, features=U64, purpose=Int("B", 1, 3), cluster_name=Text(), cluster_id=CLUSTER_ID,
    identity=IDENTITY, nonce=Bytes(None, 32, 32))
CHALLENGE = Struct(version=U16, features=U64, cluster_id=CLUSTER_ID, identity=IDENTITY, nonce=Bytes(None, 32, 32))
PROOF = Struct(mac=Bytes(None, 32, 32))
READ = Struct(key=KEY, consistency=CONSISTENCY)
SCAN = Struct(prefix=PREFIX, after=PREFIX, limit=Int("I", 1, 1_000), keys_only=BOOL)
REPLICA_STATE = Struct(accepted=Opt(ACCEPTED), promised=BALLOT)
TOPIC_NAME = Struct(name=Text())
RING_CHANGE = Union(
    add=(1, Struct(node=Text())),
    remove=(2, Struct(node=Text())),
    replace=(3, Struct(node=Text(), replacement=Text())),
    replicationFactor=(4, Struct(factor=U16)),
    abort=(5, Struct()))
SHARE = Struct(node=U64, name=Text(), before=U32, after=U32, copies=U32)
DANGER = Struct(range=RANGE, alive=List(U64, 64), needed=U16)
WATCH_POSITION = Struct(time=U64, after=Opt(PREFIX), node=U64)
KEY_AND_CELL = Struct(key=KEY, cell=CELL)
ERROR_CODES = set(range(1, 22)) | set(range(32, 38))


class ErrorCode(Int):
    def read(self, reader):
        value = super().read(reader)
        if value not in ERROR_CODES:
            raise WireError("invalid", f"error code {value}")
        return value


FRAME_MAX, HANDSHAKE_MAX, GOSSIP_MAX = 16 << 20, 4 << 10, 1 << 20
KEYS_MAX = (1 << 20) + HANDSHAKE_MAX

# Number: name, body, greatest body.
MESSAGES = {
    1: ("hello", HELLO, HANDSHAKE_MAX),
    2: ("challenge", CHALLENGE, HANDSHAKE_MAX),
    3: ("proof", PROOF, HANDSHAKE_MAX),
    4: ("welcome", PROOF, HANDSHAKE_MAX),
    5: ("error", Struct(code=ErrorCode("H"), detail=Text(1_024)), HANDSHAKE_MAX),
    16: ("clusterRequest", Struct(), 64),
    17: ("clusterState", Struct(
        name=Text(), answered_by=U64, ring=Opt(RING),
        members=List(Struct(identity=IDENTITY, state=MEMBER_STATE))), FRAME_MAX),
    18: ("statsRequest", Struct(), 64),
    19: ("stats", Struct(items=List(Struct(name=Text(), value=U64))), FRAME_MAX),
    32: ("readRequest", READ, KEYS_MAX),
    33: ("readAnswer", Struct(cell=Opt(CELL)), FRAME_MAX),
    34: ("writeRequest", Struct(key=KEY, consistency=CONSISTENCY, change=CHANGE), FRAME_MAX),
    35: ("writeAnswer", Struct(applied=BOOL, version=Opt(BALLOT), expiry_ms=U64, current=Opt(CELL)), FRAME_MAX),
    36: ("scanRequest", SCAN, KEYS_MAX),
    37: ("scanAnswer", Struct(
        items=List(KEY_AND_CELL, 1_000), resume_after=Opt(Bytes("I", 512))), FRAME_MAX),
    38: ("watchRequest", Struct(prefix=PREFIX, position=Opt(WATCH_POSITION), wait_ms=Int("I", 0, 60_000)), HANDSHAKE_MAX),
    39: ("watchAnswer", Struct(reset=BOOL, items=List(KEY_AND_CELL, 1_000), position=WATCH_POSITION), FRAME_MAX),
    48: ("createTopic", Struct(name=Text(), configuration=TOPIC_CONFIGURATION), KEYS_MAX),
    49: ("describeTopics", TOPIC_NAME, KEYS_MAX),
    50: ("topics", Struct(topics=List(TOPIC_INFO)), FRAME_MAX),
    51: ("deleteTopic", TOPIC_NAME, KEYS_MAX),
    52: ("deleted", Struct(), KEYS_MAX),
    53: ("produce", Struct(partition=PARTITION, batch=BATCH), FRAME_MAX),
    54: ("produced", Struct(base_offset=U64), KEYS_MAX),
    55: ("fetch", Struct(partition=PARTITION, offset=U64, bytes_max=U32, wait_ms=Int("I", 0, 30_000)), KEYS_MAX),
    56: ("fetched", Struct(epoch=U32, high_watermark=U64, first_offset=U64, batches=List(BATCH)), FRAME_MAX),
    57: ("offsetRequest", Struct(partition=PARTITION, kind=Int("B", 1, 5), argument=U64), 64),
    58: ("offsetAnswer", Struct(epoch=U32, offset=U64, high_watermark=U64, first_offset=U64, appended_ms=U64), 64),
    59: ("alterTopic", Struct(name=Text(), configuration=TOPIC_CONFIGURATION), KEYS_MAX),
    60: ("electPrimary", Struct(topic=Text(), partition=U32, node=U64, unclean=BOOL), HANDSHAKE_MAX),
    61: ("elected", Struct(unclean=BOOL, epoch=U32, first_offset=U64, end_offset=U64), 64),
    64: ("prepare", Struct(key=KEY, ballot=BALLOT), KEYS_MAX),
    65: ("promise", REPLICA_STATE, KEYS_MAX),
    66: ("accept", Struct(key=KEY, ballot=BALLOT, cell=CELL, next=Opt(BALLOT)), FRAME_MAX),
    67: ("accepted", Struct(next_promised=BOOL), FRAME_MAX),
    68: ("refused", Struct(promised=BALLOT, accepted_ballot=BALLOT), KEYS_MAX),
    69: ("replicaRead", READ, KEYS_MAX),
    70: ("replicaState", REPLICA_STATE, FRAME_MAX),
    71: ("replicaScan", SCAN, KEYS_MAX),
    72: ("replicaPage", Struct(items=List(Struct(key=KEY, accepted=ACCEPTED), 1_000), has_more=BOOL), FRAME_MAX),
    73: ("subscribe", Struct(prefix=PREFIX), HANDSHAKE_MAX),
    74: ("subscribed", Struct(was_known=BOOL), 64),
    75: ("changedKeys", Struct(keys=List(KEY, 1_000)), FRAME_MAX),
    80: ("append", Struct(
        partition=PARTITION, epoch=U32, previous_end=U64, previous_epoch=U32, high_watermark=U64, first_offset=U64,
        producers=List(PRODUCER, 10_000), batches=List(BATCH)), FRAME_MAX),
    81: ("appended", Struct(partition=PARTITION, epoch=U32, log_id=U64, matched=BOOL, end=U64), KEYS_MAX),
    82: ("reconfigured", Struct(partition=PARTITION), 64),
    96: ("found", Struct(ring=RING), FRAME_MAX),
    97: ("founded", Struct(agreed=BOOL, ring=Opt(RING)), KEYS_MAX),
    98: ("gossip", Struct(bytes=Bytes("", GOSSIP_MAX)), GOSSIP_MAX),
    99: ("ringRequest", Struct(), 64),
    100: ("ringState", Struct(ring=Opt(RING)), FRAME_MAX),
    101: ("held", Struct(epoch=U32), 64),
    102: ("changeRing", Struct(change=RING_CHANGE, dry_run=BOOL), HANDSHAKE_MAX),
    103: ("ringPlan", Struct(epoch=U32, replicas=U16, shares=List(SHARE, 128), dangers=List(DANGER)), FRAME_MAX),
    104: ("forgetMember", Struct(node=Text()), HANDSHAKE_MAX),
    105: ("done", Struct(), 64),
    112: ("rangeRequest", Struct(range=RANGE, after=Opt(KEY), limit=Int("I", 1, 1_000)), HANDSHAKE_MAX),
    113: ("rangePage", Struct(
        items=List(Struct(key=KEY, promised=BALLOT, accepted=Opt(ACCEPTED)), 1_000), has_more=BOOL), FRAME_MAX),
    114: ("treeRequest", Struct(range=RANGE, leaves=Int("H", 1, 1_024)), HANDSHAKE_MAX),
    115: ("tree", Struct(leaves=List(U64, 1_024)), FRAME_MAX),
    116: ("collect", Struct(items=List(Struct(key=KEY, ballot=BALLOT), 1_000), agreed=BOOL), FRAME_MAX),
    117: ("collected", Struct(confirmed=List(BOOL, 1_000)), FRAME_MAX),
    118: ("repairRequest", Struct(begin=BOOL), 64),
    119: ("repairStatus", Struct(
        running=BOOL, ranges_done=U32, ranges_total=U32, ranges_failed=U32, keys_compared=U64, keys_repaired=U64,
        bytes=U64, elapsed_ms=U64), 64),
}
NUMBERS = {name: number for number, (name, _, _) in MESSAGES.items()}

ANSWER, COMPRESSED = 1, 2


# Frames (frame.md) ----------------------------------------------------------------------------------------------------

def encode_body(name, value):
    return MESSAGES[NUMBERS[name]][1].write(value)


def encode_frame(name, value, request_id=0, flags=0, time=0, epoch=0, compress=None):
    """A frame's bytes. `compress`, given, makes an LZ4 block of the body."""
    body = encode_body(name, value)
    raw_count = len(body)
    if compress:
        body, flags = compress(body), flags | COMPRESSED
    rest = struct.pack("<HBBIQII", NUMBERS[name], flags, 0, request_id, time, epoch, raw_count) + body
    return struct.pack("<II", len(rest) + 4, xxh64(rest) & 0xFFFFFFFF) + rest


def decode_frame(data):
    """The frame at the front of `data`, as (header, name, value, bytes taken); None when it is not whole yet."""
    if len(data) < 32:
        return None
    length, checksum, number, flags, reserved, request_id, time, epoch, raw_count = struct.unpack_from("<IIHBBIQII", data)
    count = length - 28
    if count < 0 or reserved or flags & ~3:
        raise WireError("invalid", "the header is none of this protocol")
    if number not in MESSAGES:
        raise WireError("unknown type", str(number))
    name, body_type, body_max = MESSAGES[number]
    if count > body_max or raw_count > body_max:
        raise WireError("over limit", f"body of {name}")
    if not flags & COMPRESSED and raw_count != count:
        raise WireError("invalid", "raw length")
    if len(data) < length + 4:
        return None
    if xxh64(data[8:length + 4]) & 0xFFFFFFFF != checksum:
        raise WireError("checksum")
    body = data[32:length + 4]
    if flags & COMPRESSED:
        body = lz4_decompress(body, raw_count)
    reader = Reader(body)
    value = body_type.read(reader)
    if reader.at != len(body):
        raise WireError("trailing")
    header = {"type": number, "flags": flags, "request_id": request_id, "time": time, "epoch": epoch}
    return header, name, value, length + 4


# Batches (batches.md) -------------------------------------------------------------------------------------------------

RECORD_HEADER = Struct(name=Text(), value=Bytes("I", 1 << 20))


def encode_record(record):
    key = record["key"]
    key = b"\xff\xff\xff\xff" if key is None else struct.pack("<I", len(key) // 2) + bytes.fromhex(key)
    headers = b"".join(RECORD_HEADER.write(header) for header in record["headers"])
    return (struct.pack("<Q", record["timestamp_ms"]) + key + VALUE.write(record["value"])
            + struct.pack("<H", len(record["headers"])) + headers)


def decode_record(reader):
    timestamp, key = U64.read(reader), U32.read(reader)
    key = None if key == 0xFFFFFFFF else reader.take(key).hex()
    value = VALUE.read(reader)
    count = U16.read(reader)
    if count > 64:
        raise WireError("over limit", "headers of a record")
    return {"timestamp_ms": timestamp, "key": key, "value": value, "headers": [RECORD_HEADER.read(reader) for _ in range(count)]}


def batch_checksum(batch):
    fixed = struct.pack(
        "<QQIQBI", batch["producer_id"], batch["sequence"], batch["count"], batch["timestamp_ms_max"], batch["codec"],
        batch["raw_count"])
    return xxh64(bytes.fromhex(batch["payload"]), xxh64(fixed)) & 0xFFFFFFFF


def make_batch(records, producer_id=0, sequence=0, base_offset=0, epoch=0, appended_ms=0, compress=None, places=None, count=None):
    """`places` makes a sparse batch of `count` offsets, with the records at these places of it."""
    raw = b"".join((U32.write(places[index]) if places is not None else b"") + encode_record(record)
                   for index, record in enumerate(records))
    payload = compress(raw) if compress else raw
    batch = {
        "base_offset": base_offset, "epoch": epoch, "appended_ms": appended_ms, "checksum": 0, "producer_id": producer_id, "sequence": sequence,
        "count": count or len(records), "timestamp_ms_max": max((record["timestamp_ms"] for record in records), default=0),
        "codec": (1 if compress else 0) | (2 if places is not None else 0), "raw_count": len(raw), "payload": payload.hex()}
    batch["checksum"] = batch_checksum(batch)
    return batch


def batch_entries(batch):
    """The records of a batch with their offsets."""
    if batch_checksum(batch) != batch["checksum"]:
        raise WireError("checksum")
    payload = bytes.fromhex(batch["payload"])
    raw = lz4_decompress(payload, batch["raw_count"]) if batch["codec"] & 1 else payload
    reader, entries, place = Reader(raw), [], 0
    while reader.at < len(raw) if batch["codec"] & 2 else place < batch["count"]:
        if batch["codec"] & 2:
            after, place = place, U32.read(reader)
            if not after <= place < batch["count"]:
                raise WireError("invalid", f"place {place}")
        entries.append((batch["base_offset"] + place, decode_record(reader)))
        place += 1
    if reader.at != len(raw) or len(raw) != batch["raw_count"]:
        raise WireError("trailing")
    return entries


def batch_records(batch):
    return [record for _, record in batch_entries(batch)]


# Membership messages (membership.md) ----------------------------------------------------------------------------------

MEMBERSHIP = Struct(
    version=Int("B", 1, 1), kind=Int("B", 1, 8), sender=IDENTITY)
MEMBERSHIP_CONTENT = {
    1: ("ping", Struct(sequence=U32, target=U64)),
    2: ("ack", Struct(sequence=U32, subject=U64)),
    3: ("pingRequest", Struct(sequence=U32, target=U64, address=Text())),
    4: ("nack", Struct(sequence=U32)),
    5: ("gossip", Struct()),
    6: ("pull", Struct(sequence=U32)),
    7: ("state", Struct(sequence=U32, wants_answer=BOOL)),
    8: ("forget", Struct(words=List(Struct(member=U64, incarnation=U64, age_ms=U64)))),
}
UPDATES = List(Struct(state=MEMBER_STATE, identity=IDENTITY, source=U64))


def encode_membership(message):
    content = MEMBERSHIP_CONTENT[message["kind"]][1]
    return MEMBERSHIP.write(message) + content.write(message["content"]) + UPDATES.write(message["updates"])


def decode_membership(data):
    reader = Reader(data)
    message = MEMBERSHIP.read(reader)
    message["content"] = MEMBERSHIP_CONTENT[message["kind"]][1].read(reader)
    message["updates"] = UPDATES.read(reader)
    if reader.at != len(data):
        raise WireError("trailing")
    return message


# Handshake (handshake.md) ---------------------------------------------------------------------------------------------

def proof(secret, label, hello_body, challenge_body):
    return hmac.new(secret, label.encode() + hello_body + challenge_body, hashlib.sha256).digest()


# Commands -------------------------------------------------------------------------------------------------------------

def check(folder):
    """Every vector decodes to its values, and its values encode to it. Returns how many there were."""
    count = 0

    def load(name):
        return json.loads((folder / name).read_text())["vectors"]

    def expect(condition, vector):
        nonlocal count
        count += 1
        if not condition:
            raise SystemExit(f"vector does not hold: {json.dumps(vector)[:500]}")

    for vector in load("frames.json"):
        data = bytes.fromhex(vector["hex"])
        header, name, value, taken = decode_frame(data)
        expect((header, name, value, taken) == (vector["header"], vector["message"], vector["value"], len(data)), vector)
        if not header["flags"] & COMPRESSED:
            expect(encode_frame(name, value, **{k: v for k, v in header.items() if k != "type"}) == data, vector)
        if name == "gossip":
            decode_membership(bytes.fromhex(value["bytes"]))
    for vector in load("malformed.json"):
        try:
            found = "incomplete" if decode_frame(bytes.fromhex(vector["hex"])) is None else "none"
        except WireError as error:
            found = error.kind
        expect(found == vector["error"], vector)
    for vector in load("batches.json"):
        batch = BATCH.read(Reader(bytes.fromhex(vector["hex"])))
        entries = batch_entries(batch)
        expect(batch == vector["batch"] and [record for _, record in entries] == vector["records"], vector)
        expect([offset for offset, _ in entries] == vector["offsets"], vector)
    for vector in load("membership.json"):
        message = decode_membership(bytes.fromhex(vector["hex"]))
        expect(message == vector["value"] and encode_membership(message).hex() == vector["hex"], vector)
    for vector in load("xxh64.json"):
        expect(xxh64(bytes.fromhex(vector["input"]), vector["seed"]) == int(vector["digest"], 16), vector)
    for vector in load("lz4.json"):
        expect(lz4_decompress(bytes.fromhex(vector["block"]), vector["raw_count"]).hex() == vector["raw"], vector)
    for vector in load("rings.json"):
        for case in vector["replicas"]:
            token = int(case["token"], 16)
            expect(replicas(vector["ring"]["layout"], token) == case["nodes"], vector)
            expect(next_replicas(vector["ring"], token) == case["next"], vector)
    for vector in load("trees.json"):
        registers = [(bytes.fromhex(register["key"]), register["accepted"]) for register in vector["registers"]]
        expect(tree_leaves(vector["range"], vector["leaves"], registers) == vector["tree"], vector)
    for vector in load("partitions.json"):
        expect(xxh64(bytes.fromhex(vector["key"])) % vector["partitions"] == vector["partition"], vector)
    for vector in load("handshake.json"):
        bodies = bytes.fromhex(vector["hello"]), bytes.fromhex(vector["challenge"])
        for side in ("connector", "listener"):
            made = proof(vector["secret"].encode(), f"stormo/1 {side}", *bodies).hex()
            expect(made == vector[side], vector)
    return count


def main(arguments):
    if arguments[:1] == ["check"]:
        print(check(pathlib.Path(__file__).parent / "vectors"), "checks hold")
    elif arguments[:1] == ["decode"] and len(arguments) == 2:
        data = bytes.fromhex(arguments[1])
        while data:
            frame = decode_frame(data)
            if frame is None:
                raise SystemExit(f"{len(data)} bytes are left: no whole frame")
            header, name, value, taken = frame
            print(json.dumps({"header": header, "message": name, "value": value}, indent=2, ensure_ascii=False))
            data = data[taken:]
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
