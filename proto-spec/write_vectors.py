#!/usr/bin/env python3
"""Writes vectors/ anew from the second implementation, with xxHash and LZ4 from their own libraries as witnesses:

    pip install xxhash lz4 && python3 write_vectors.py

Vectors are a promise: one that changes means that old and new nodes do not understand each other.
"""
import json
import pathlib

import lz4.block
import xxhash

import stormo_wire as wire

FOLDER = pathlib.Path(__file__).parent / "vectors"


def compress(data):
    return lz4.block.compress(data, store_size=False)


def save(name, note, vectors):
    FOLDER.mkdir(exist_ok=True)
    lines = ",\n".join("    " + json.dumps(vector, ensure_ascii=False) for vector in vectors)
    text = f'{{\n  "note": {json.dumps(note)},\n  "vectors": [\n{lines}\n  ]\n}}\n'
    (FOLDER / name).write_text(text)


def hexed(text):
    return text.encode().hex()


MAX64 = wire.MASK
TIME = 1_767_225_600_000 << 16 | 7
CLUSTER = {"high": 0x0123456789ABCDEF, "low": 0xFEDCBA9876543210}
NO_CLUSTER = {"high": 0, "low": 0}
NODE = {"role": 1, "id": 0x1111111111111111, "name": "n1", "incarnation": 1_767_225_600_000, "address": "10.0.0.1:7000", "zone": "a"}
GATEWAY = {"role": 2, "id": 0, "name": "città", "incarnation": MAX64, "address": "", "zone": ""}
NONCE_A, NONCE_B = bytes(range(32)).hex(), bytes(range(255, 223, -1)).hex()
BALLOT = {"time": TIME, "node": 0x1111111111111111}
LATER = {"time": TIME + 1, "node": 0x2222222222222222}
ZERO = {"time": 0, "node": 0}
VALUE_CELL = {"version": BALLOT, "base": None, "expiry_ms": 0, "content": {"kind": "value", "bytes": hexed("hello")}}
CAS_CELL = {"version": LATER, "base": BALLOT, "expiry_ms": 1_767_229_200_000, "content": {"kind": "value", "bytes": ""}}
TOMBSTONE = {"version": LATER, "base": ZERO, "expiry_ms": 0, "content": {"kind": "tombstone"}}
MEMBERS = [
    {"id": 0x1111111111111111, "name": "n1", "address": "10.0.0.1:7000", "zone": "a", "virtual_nodes": 64},
    {"id": 0x2222222222222222, "name": "n2", "address": "10.0.0.2:7000", "zone": "", "virtual_nodes": 1},
]
RING = {
    "cluster_id": CLUSTER, "epoch": 3, "layout": {"replication_factor": 3, "members": MEMBERS}, "next": None,
    "acceptors": [0x1111111111111111, 0x2222222222222222]}
JOINT_RING = {
    **RING, "epoch": 4, "acceptors": [0x2222222222222222], "next": {"replication_factor": 2, "members": [
        MEMBERS[0], {"id": 0x3333333333333333, "name": "n3", "address": "10.0.0.3:7000", "zone": "b", "virtual_nodes": 1_024}]}}
# It runs over the end of the ring.
RANGE = {"after": MAX64 - 9, "through": 1 << 62}
PARTITION = {"topic": 0x00C0FFEE00C0FFEE, "index": 5}
DEFAULTS = {
    "partitions": 8, "replication_factor": 3, "min_in_sync": 0, "retention_ms": 604_800_000, "retention_bytes": 0, "cleanup": 0}
# Chosen so that LZ4 does not make them smaller: then every producer sends the same bytes.
RECORDS = [
    {"timestamp_ms": 1_767_225_600_000, "key": hexed("drone-7"), "value": hexed('{"soc":0.81}'),
     "headers": [{"name": "trace", "value": "00ff"}]},
    {"timestamp_ms": 0x0102030405060708, "key": "", "value": "ff", "headers": []},
    {"timestamp_ms": 0x1112131415161718, "key": None, "value": "", "headers": []},
]
REPETITIVE = [
    {"timestamp_ms": 1_767_225_600_000 + index, "key": hexed(f"meter-{index % 4}"),
     "value": hexed(f'{{"meter":"meter-{index % 4}","watts":{1000 + index}}}'), "headers": []} for index in range(20)]
PLAIN_BATCH = wire.make_batch(RECORDS, producer_id=9, sequence=41, base_offset=1_000, epoch=2, appended_ms=1_767_225_600_123)
PACKED_BATCH = wire.make_batch(REPETITIVE, base_offset=1_003, epoch=2, appended_ms=1_767_225_600_123, compress=compress)
# What compaction leaves of a batch of five records.
SPARSE_BATCH = wire.make_batch(RECORDS[:2], base_offset=1_023, epoch=2, appended_ms=1_767_225_600_124, places=[1, 4], count=5)
EMPTY_BATCH = wire.make_batch([], base_offset=1_028, epoch=2, appended_ms=1_767_225_600_124, places=[], count=2)
# A producer sends nothing of the primary's part.
SENT_BATCH = {**PLAIN_BATCH, "base_offset": 0, "epoch": 0, "appended_ms": 0}
PRODUCER = {"producer_id": 9, "sequence": 38, "count": 3, "base_offset": 7, "appended_ms": 1_767_225_600_122}
TOPIC = {
    "name": "drone.telemetry", "id": 0x00C0FFEE00C0FFEE, "configuration": {**DEFAULTS, "partitions": 1, "min_in_sync": 2, "cleanup": 1},
    "partitions": [
        {"index": 0, "epoch": 4, "primary": 0x1111111111111111, "replicas": [0x1111111111111111, 0x2222222222222222],
         "in_sync": [0x1111111111111111], "first_offset": 10, "high_watermark": 1_003, "bytes": 4_096}]}
HELLO = {
    "version_min": 1, "version_max": 1, "features": 0, "purpose": 2, "cluster_name": "stormo", "cluster_id": NO_CLUSTER,
    "identity": NODE, "nonce": NONCE_A}
CHALLENGE = {"version": 1, "features": 0, "cluster_id": CLUSTER, "identity": {**NODE, "id": 0x2222222222222222, "name": "n2"}, "nonce": NONCE_B}
BODIES = wire.encode_body("hello", HELLO), wire.encode_body("challenge", CHALLENGE)
SECRET = "correct horse battery staple"
PROOFS = {side: wire.proof(SECRET.encode(), f"stormo/1 {side}", *BODIES).hex() for side in ("connector", "listener")}

MEMBERSHIP = [
    ("ping", {"version": 1, "kind": 1, "sender": NODE, "content": {"sequence": 1, "target": 0x2222222222222222}, "updates": []}),
    ("ack", {"version": 1, "kind": 2, "sender": NODE, "content": {"sequence": 0xFFFFFFFF, "subject": 0x1111111111111111}, "updates": [
        {"state": 2, "identity": {**NODE, "id": 0x3333333333333333, "name": "n3", "address": "10.0.0.3:7000", "zone": ""},
         "source": 0x1111111111111111}]}),
    ("pingRequest", {"version": 1, "kind": 3, "sender": NODE, "content": {
        "sequence": 7, "target": 0x3333333333333333, "address": "10.0.0.3:7000"}, "updates": []}),
    ("nack", {"version": 1, "kind": 4, "sender": NODE, "content": {"sequence": 7}, "updates": []}),
    ("gossip", {"version": 1, "kind": 5, "sender": NODE, "content": {}, "updates": [
        {"state": 3, "identity": {**NODE, "id": 0x3333333333333333, "name": "n3", "incarnation": 5}, "source": 0x2222222222222222},
        {"state": 4, "identity": {**NODE, "role": 2, "id": 0x4444444444444444, "name": "gateway-1", "incarnation": 1 << 62},
         "source": 0x4444444444444444}]}),
    ("pull", {"version": 1, "kind": 6, "sender": NODE, "content": {"sequence": 8}, "updates": []}),
    ("state", {"version": 1, "kind": 7, "sender": NODE, "content": {"sequence": 8, "wants_answer": True}, "updates": [
        {"state": 1, "identity": NODE, "source": 0x1111111111111111}]}),
    ("forget", {"version": 1, "kind": 8, "sender": NODE, "content": {"words": [
        {"member": 0x3333333333333333, "incarnation": 5, "age_ms": 0},
        {"member": 0x4444444444444444, "incarnation": 1 << 62, "age_ms": 86_400_000}]}, "updates": []}),
]

# Name, message, value, header fields.
FRAMES = [
    ("hello", "hello", HELLO, {}),
    ("hello of a gateway", "hello", {**HELLO, "purpose": 3, "features": MAX64, "version_max": 65_535, "identity": GATEWAY}, {}),
    ("challenge", "challenge", CHALLENGE, {}),
    ("proof", "proof", {"mac": PROOFS["connector"]}, {}),
    ("welcome", "welcome", {"mac": PROOFS["listener"]}, {}),
    ("error", "error", {"code": 4, "detail": "the ring is at epoch 7, yours is 3: ask for it"}, {"flags": 1, "request_id": 17}),
    ("clusterRequest", "clusterRequest", {}, {"request_id": 1}),
    ("clusterState before founding", "clusterState", {"name": "stormo", "answered_by": 1, "ring": None, "members": []},
     {"flags": 1, "request_id": 1}),
    ("clusterState", "clusterState", {"name": "stormo", "answered_by": 0x1111111111111111, "ring": RING, "members": [
        {"identity": NODE, "state": 1}, {"identity": GATEWAY, "state": 4}]}, {"flags": 1, "request_id": 0xFFFFFFFF}),
    ("clusterState compressed", "clusterState", {"name": "stormo", "answered_by": 1, "ring": None, "members": [
        {"identity": {**NODE, "id": number, "name": f"n{number}"}, "state": 1} for number in range(1, 41)]},
     {"flags": 1, "request_id": 2, "compress": compress}),
    ("statsRequest", "statsRequest", {}, {"request_id": 3}),
    ("stats", "stats", {"items": [{"name": "reads", "value": 0}, {"name": "writes", "value": MAX64}]}, {"flags": 1, "request_id": 3}),
    ("readRequest", "readRequest", {"key": hexed("drone/7"), "consistency": 1}, {"request_id": 4}),
    ("readAnswer of nothing", "readAnswer", {"cell": None}, {"flags": 1, "request_id": 4}),
    ("readAnswer", "readAnswer", {"cell": VALUE_CELL}, {"flags": 1, "request_id": 4}),
    ("put", "writeRequest", {"key": hexed("drone/7"), "consistency": 1, "change": {
        "kind": "put", "value": hexed("hello"), "ttl_ms": 0, "condition": {"kind": "none"}}}, {"request_id": 5}),
    ("put when absent, expiring", "writeRequest", {"key": "00", "consistency": 5, "change": {
        "kind": "put", "value": "", "ttl_ms": 1_000, "condition": {"kind": "absent"}}}, {"request_id": 5}),
    ("delete of a version", "writeRequest", {"key": hexed("drone/7"), "consistency": 5, "change": {
        "kind": "delete", "condition": {"kind": "version", "version": BALLOT}}}, {"request_id": 5}),
    ("acquire", "writeRequest", {"key": hexed("lock"), "consistency": 1, "change": {
        "kind": "acquire", "owner": "dispatcher-1", "lease_ms": 30_000}}, {"request_id": 5}),
    ("renew", "writeRequest", {"key": hexed("lock"), "consistency": 1, "change": {
        "kind": "renew", "token": BALLOT, "lease_ms": 3_600_000}}, {"request_id": 5}),
    ("release", "writeRequest", {"key": hexed("lock"), "consistency": 1, "change": {"kind": "release", "token": BALLOT}}, {"request_id": 5}),
    ("writeAnswer", "writeAnswer", {"applied": True, "version": BALLOT, "expiry_ms": 1_767_229_200_000, "current": None},
     {"flags": 1, "request_id": 5}),
    ("writeAnswer refused", "writeAnswer", {"applied": False, "version": None, "expiry_ms": 0, "current": TOMBSTONE},
     {"flags": 1, "request_id": 5}),
    ("scanRequest", "scanRequest", {"prefix": hexed("drone/"), "after": "", "limit": 1_000, "keys_only": False}, {"request_id": 6}),
    ("scanAnswer", "scanAnswer", {"items": [{"key": hexed("a"), "cell": VALUE_CELL}, {"key": hexed("b"), "cell": CAS_CELL}],
                                  "resume_after": hexed("b")}, {"flags": 1, "request_id": 6}),
    ("watchRequest from the beginning", "watchRequest", {"prefix": "", "position": None, "wait_ms": 0}, {"request_id": 19}),
    ("watchRequest", "watchRequest", {
        "prefix": hexed("drone/"), "position": {"time": TIME, "after": None, "node": 0x1111111111111111}, "wait_ms": 60_000}, {"request_id": 19}),
    ("watchRequest within a listing", "watchRequest", {
        "prefix": hexed("drone/"), "position": {"time": TIME, "after": hexed("drone/7"), "node": 0x1111111111111111}, "wait_ms": 10_000}, {"request_id": 19}),
    ("watchAnswer", "watchAnswer", {
        "reset": True, "items": [{"key": hexed("drone/7"), "cell": VALUE_CELL}, {"key": hexed("drone/8"), "cell": TOMBSTONE}],
        "position": {"time": TIME, "after": hexed("drone/8"), "node": 0x1111111111111111}}, {"flags": 1, "request_id": 19}),
    ("watchAnswer of nothing", "watchAnswer", {"reset": False, "items": [], "position": {"time": TIME + 1, "after": None, "node": 0x1111111111111111}},
     {"flags": 1, "request_id": 19}),
    ("createTopic", "createTopic", {"name": "drone.telemetry", "configuration": DEFAULTS}, {"request_id": 7}),
    ("describeTopics", "describeTopics", {"name": ""}, {"request_id": 8}),
    ("topics", "topics", {"topics": [TOPIC]}, {"flags": 1, "request_id": 8}),
    ("deleteTopic", "deleteTopic", {"name": "drone.telemetry"}, {"request_id": 9}),
    ("deleted", "deleted", {}, {"flags": 1, "request_id": 9}),
    ("produce", "produce", {"partition": PARTITION, "batch": SENT_BATCH}, {"request_id": 10}),
    ("produced", "produced", {"base_offset": 1_000}, {"flags": 1, "request_id": 10}),
    ("fetch", "fetch", {"partition": PARTITION, "offset": MAX64, "bytes_max": 1 << 20, "wait_ms": 30_000}, {"request_id": 11}),
    ("fetched", "fetched", {"epoch": 2, "high_watermark": 1_023, "first_offset": 10, "batches": [PLAIN_BATCH, PACKED_BATCH]},
     {"flags": 1, "request_id": 11}),
    ("offsetRequest by time", "offsetRequest", {"partition": PARTITION, "kind": 3, "argument": 1_767_225_600_123}, {"request_id": 11}),
    ("offsetRequest from the end", "offsetRequest", {"partition": PARTITION, "kind": 4, "argument": 10}, {"request_id": 11}),
    ("offsetAnswer", "offsetAnswer", {"epoch": 2, "offset": 1_000, "high_watermark": 1_023, "first_offset": 10, "appended_ms": 1_767_225_600_123},
     {"flags": 1, "request_id": 11}),
    ("alterTopic", "alterTopic", {"name": "drone.telemetry", "configuration": {**DEFAULTS, "partitions": 16}}, {"request_id": 7}),
    ("electPrimary", "electPrimary", {"topic": "drone.telemetry", "partition": 5, "node": 0x2222222222222222, "unclean": True}, {"request_id": 20}),
    ("elected", "elected", {"unclean": True, "epoch": 4, "first_offset": 10, "end_offset": 1_003}, {"flags": 1, "request_id": 20}),
    ("prepare", "prepare", {"key": hexed("drone/7"), "ballot": BALLOT}, {"request_id": 12}),
    ("promise", "promise", {"accepted": {"ballot": LATER, "cell": VALUE_CELL}, "promised": LATER}, {"flags": 1, "request_id": 12}),
    ("promise of nothing", "promise", {"accepted": None, "promised": ZERO}, {"flags": 1, "request_id": 12}),
    ("accept", "accept", {"key": hexed("drone/7"), "ballot": LATER, "cell": CAS_CELL, "next": {"time": TIME + 2, "node": 1}},
     {"request_id": 13}),
    ("accept of a tombstone", "accept", {"key": hexed("drone/7"), "ballot": LATER, "cell": TOMBSTONE, "next": None}, {"request_id": 13}),
    ("accepted", "accepted", {"next_promised": True}, {"flags": 1, "request_id": 13}),
    ("refused", "refused", {"promised": LATER, "accepted_ballot": ZERO}, {"flags": 1, "request_id": 13}),
    ("replicaRead", "replicaRead", {"key": hexed("drone/7"), "consistency": 6}, {"request_id": 14}),
    ("replicaState", "replicaState", {"accepted": {"ballot": BALLOT, "cell": VALUE_CELL}, "promised": BALLOT}, {"flags": 1, "request_id": 14}),
    ("replicaScan", "replicaScan", {"prefix": "", "after": hexed("a"), "limit": 1, "keys_only": True}, {"request_id": 15}),
    ("replicaPage", "replicaPage", {"items": [
        {"key": "61", "accepted": {"ballot": LATER, "cell": {**TOMBSTONE, "base": None}}},
        {"key": "62", "accepted": {"ballot": LATER, "cell": {**TOMBSTONE, "base": None}}}], "has_more": True}, {"flags": 1, "request_id": 15}),
    ("subscribe", "subscribe", {"prefix": hexed("drone/")}, {"request_id": 20}),
    ("subscribed", "subscribed", {"was_known": True}, {"flags": 1, "request_id": 20}),
    ("changedKeys", "changedKeys", {"keys": [hexed("drone/7"), "00ff"]}, {}),
    ("append", "append", {"partition": PARTITION, "epoch": 2, "previous_end": 1_000, "previous_epoch": 1, "high_watermark": 999,
                          "first_offset": 1_000, "producers": [PRODUCER], "batches": [PLAIN_BATCH]}, {"request_id": 16}),
    ("append as heartbeat", "append", {"partition": PARTITION, "epoch": 2, "previous_end": 0, "previous_epoch": 0, "high_watermark": 0,
                                       "first_offset": 0, "producers": [], "batches": []}, {"request_id": 16}),
    ("appended", "appended", {"partition": PARTITION, "epoch": 2, "log_id": MAX64, "matched": True, "end": 1_003}, {"flags": 1, "request_id": 16}),
    ("reconfigured", "reconfigured", {"partition": PARTITION}, {}),
    ("found", "found", {"ring": RING}, {"request_id": 18}),
    ("founded", "founded", {"agreed": False, "ring": RING}, {"flags": 1, "request_id": 18}),
    ("founded without ring", "founded", {"agreed": True, "ring": None}, {"flags": 1, "request_id": 18}),
    ("ringRequest", "ringRequest", {}, {"request_id": 21}),
    ("ringState", "ringState", {"ring": JOINT_RING}, {"flags": 1, "request_id": 21}),
    ("ringState before founding", "ringState", {"ring": None}, {"flags": 1, "request_id": 21}),
    ("held", "held", {"epoch": 4}, {"request_id": 22}),
    ("add a node", "changeRing", {"change": {"kind": "add", "node": "n3"}, "dry_run": True}, {"request_id": 23}),
    ("remove a node", "changeRing", {"change": {"kind": "remove", "node": "10.0.0.1:7000"}, "dry_run": False}, {"request_id": 23}),
    ("replace a node", "changeRing", {
        "change": {"kind": "replace", "node": "n2", "replacement": "città"}, "dry_run": False}, {"request_id": 23}),
    ("set the replication factor", "changeRing", {"change": {"kind": "replicationFactor", "factor": 5}, "dry_run": True}, {"request_id": 23}),
    ("abort", "changeRing", {"change": {"kind": "abort"}, "dry_run": False}, {"request_id": 23}),
    ("ringPlan", "ringPlan", {
        "epoch": 4, "replicas": 2,
        "shares": [
            {"node": 0x1111111111111111, "name": "n1", "before": 1_000_000, "after": 700_000, "copies": 0},
            {"node": 0x3333333333333333, "name": "n3", "before": 0, "after": 300_000, "copies": 300_000}],
        "dangers": [{"range": RANGE, "alive": [0x1111111111111111], "needed": 2}]}, {"flags": 1, "request_id": 23}),
    ("forgetMember", "forgetMember", {"node": "n2"}, {"request_id": 24}),
    ("done", "done", {}, {"flags": 1, "request_id": 24}),
    ("rangeRequest", "rangeRequest", {"range": RANGE, "after": None, "limit": 1_000}, {"request_id": 25}),
    ("rangeRequest further on", "rangeRequest", {"range": RANGE, "after": hexed("drone/7"), "limit": 1}, {"request_id": 25}),
    ("rangePage", "rangePage", {"items": [
        {"key": hexed("drone/7"), "promised": LATER, "accepted": {"ballot": BALLOT, "cell": VALUE_CELL}},
        {"key": hexed("drone/8"), "promised": BALLOT, "accepted": None}], "has_more": True}, {"flags": 1, "request_id": 25}),
    ("treeRequest", "treeRequest", {"range": RANGE, "leaves": 1_024}, {"request_id": 26}),
    ("tree", "tree", {"leaves": [0, MAX64, 1]}, {"flags": 1, "request_id": 26}),
    ("collect", "collect", {"items": [{"key": hexed("drone/7"), "ballot": LATER}, {"key": "61", "ballot": BALLOT}], "agreed": False},
     {"request_id": 27}),
    ("collected", "collected", {"confirmed": [True, False]}, {"flags": 1, "request_id": 27}),
    ("repairRequest", "repairRequest", {"begin": True}, {"request_id": 28}),
    ("repairStatus", "repairStatus", {
        "running": True, "ranges_done": 12, "ranges_total": 128, "ranges_failed": 1, "keys_compared": 100_000, "keys_repaired": 3,
        "bytes": 1 << 33, "elapsed_ms": 1_500}, {"flags": 1, "request_id": 28}),
] + [(f"gossip {name}", "gossip", {"bytes": wire.encode_membership(message).hex()}, {}) for name, message in MEMBERSHIP]


def frames():
    covered = {message for _, message, _, _ in FRAMES}
    assert covered == set(wire.NUMBERS), set(wire.NUMBERS) - covered
    vectors = []
    for name, message, value, options in FRAMES:
        # Before the handshake is done a peer has neither clock nor ring to show.
        early = message in ("hello", "challenge", "proof", "welcome")
        data = wire.encode_frame(message, value, **{"time": 0 if early else TIME, "epoch": 0 if early else 3, **options})
        header, message, value, _ = wire.decode_frame(data)
        assert xxhash.xxh64(data[8:]).intdigest() & 0xFFFFFFFF == int.from_bytes(data[4:8], "little")
        vectors.append({"name": name, "message": message, "header": header, "value": value, "hex": data.hex()})
    return vectors


def malformed():
    good = bytearray(wire.encode_frame("readRequest", {"key": hexed("drone/7"), "consistency": 1}, request_id=4, time=TIME, epoch=3))

    def resealed(data):
        digest = xxhash.xxh64(bytes(data[8:])).intdigest() & 0xFFFFFFFF
        return bytes(data[:4]) + digest.to_bytes(4, "little") + bytes(data[8:])

    def sealed(edit):
        data = bytearray(good)
        edit(data)
        return resealed(data)

    def put(at, *values):
        def edit(data):
            data[at:at + len(values)] = bytes(values)
        return edit

    def grow(data):
        data.append(0)
        data[0] += 1
        data[28] += 1

    def shrink(data):
        data.pop()
        data[0] -= 1
        data[28] -= 1

    def frame(name, value):
        return wire.encode_frame(name, value, request_id=4, time=TIME, epoch=3)

    abort = frame("changeRing", {"change": {"kind": "abort"}, "dry_run": False})
    bomb = wire.encode_frame("clusterRequest", {}, compress=compress)
    packed = bytearray(wire.encode_frame("readAnswer", {"cell": {**VALUE_CELL, "content": {"kind": "value", "bytes": "00" * 2_000}}}, compress=compress))
    packed[28:32] = (16 << 20).to_bytes(4, "little")
    flipped = bytearray(good)
    flipped[40] ^= 1
    cases = [
        ("half a header", bytes(good[:20]), "incomplete"),
        ("half a body", bytes(good[:-1]), "incomplete"),
        ("a flipped bit in the body", bytes(flipped), "checksum"),
        ("a wrong checksum", bytes(good[:4]) + bytes(4) + bytes(good[8:]), "checksum"),
        ("a type of the future", sealed(put(8, 0xFF, 0x7F)), "unknown type"),
        ("a flag of the future", sealed(put(10, 4)), "invalid"),
        ("a reserved byte in use", sealed(put(11, 1)), "invalid"),
        ("a length shorter than the header", bytes(put_length(good, 27)), "invalid"),
        ("a body over its type's limit, refused by the header alone", bytes(put_length(good, (2 << 20))), "over limit"),
        ("a raw length over its type's limit", sealed(put(28, 0, 0, 0x20, 0)), "over limit"),
        ("a raw length that is not the body's", sealed(put(28, 11)), "invalid"),
        ("a byte behind the message", sealed(grow), "trailing"),
        ("a byte missing from the message", sealed(shrink), "truncated"),
        ("an empty key", sealed(lambda d: d.__setitem__(slice(32, len(d)), b"") or d.extend(b"\0\0\1") or put(0, 31)(d) or put(28, 3)(d)), "invalid"),
        ("a key longer than the message", sealed(put(32, 0, 2)), "truncated"),
        ("a key over the limit", sealed(put(32, 1, 2)), "over limit"),
        ("a consistency of the future", sealed(put(41, 7)), "invalid"),
        ("a block that does not fill its raw length", resealed(packed), "decompression"),
        ("a block of nothing in a message without body", bomb, "none"),
        ("a watch that waits too long", frame("watchRequest", {"prefix": "", "position": None, "wait_ms": 60_001}), "invalid"),
        ("a tree without leaves", frame("treeRequest", {"range": RANGE, "leaves": 0}), "invalid"),
        ("a tree of too many leaves", frame("treeRequest", {"range": RANGE, "leaves": 1_025}), "invalid"),
        ("a page of no registers", frame("rangeRequest", {"range": RANGE, "after": None, "limit": 0}), "invalid"),
        ("acceptors out of order", frame("found", {"ring": {**RING, "acceptors": [2, 1]}}), "invalid"),
        ("an acceptor twice", frame("found", {"ring": {**RING, "acceptors": [1, 1]}}), "invalid"),
        ("too many acceptors", frame("found", {"ring": {**RING, "acceptors": [1, 2, 3, 4, 5, 6]}}), "over limit"),
        ("a next layout without copies", frame("found", {"ring": {**RING, "next": {"replication_factor": 0, "members": []}}}), "invalid"),
        ("a change of the ring of the future", resealed(abort[:-2] + bytes([6, 0])), "invalid"),
        ("text of another protocol", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "invalid"),
    ]
    vectors = []
    for name, data, error in cases:
        try:
            found = "incomplete" if wire.decode_frame(data) is None else "none"
        except wire.WireError as failure:
            found = failure.kind
        assert found == error, (name, found)
        vectors.append({"name": name, "error": error, "hex": data.hex()})
    return vectors


def put_length(frame, length):
    return length.to_bytes(4, "little") + frame[4:]


def batches():
    return [
        {"name": name, "hex": wire.BATCH.write(batch).hex(), "batch": batch, "records": wire.batch_records(batch),
         "offsets": [offset for offset, _ in wire.batch_entries(batch)]}
        for name, batch in (("unpacked", PLAIN_BATCH), ("packed", PACKED_BATCH), ("sparse", SPARSE_BATCH), ("empty", EMPTY_BATCH))]


def hashes():
    inputs = [b"", b"a", b"abc", b"abcd", b"abcdefg", b"abcdefgh", bytes(range(12)), bytes(range(31)), bytes(range(32)), bytes(range(33)),
              bytes(range(63)), bytes(range(64)), bytes(range(101)), bytes(range(256)) * 5, "chiave/città".encode(), b"\0lock"]
    vectors = []
    for data in inputs:
        for seed in (0, 1, 2_654_435_761, MAX64):
            digest = xxhash.xxh64(data, seed=seed).intdigest()
            assert digest == wire.xxh64(data, seed)
            vectors.append({"input": data.hex(), "seed": seed, "digest": f"{digest:016x}"})
    return vectors


def blocks():
    raws = [b"hello, hello, hello, hello, hello", b"\0" * 10_000, bytes(range(256)) * 3, b"ab" * 40 + b"the end of it all"]
    # By hand: "abc", then 9 bytes from 3 back, which overlap what they write; then the last 5 literals.
    byhand = bytes([0x35]) + b"abc" + bytes([3, 0]) + bytes([0x50]) + b"12345"
    vectors = [{"name": "by hand, overlapping", "block": byhand.hex(), "raw_count": 17, "raw": b"abcabcabcabc12345".hex()},
               {"name": "literals only", "block": (b"\x50" + b"plain").hex(), "raw_count": 5, "raw": b"plain".hex()}]
    for raw in raws:
        vectors.append({"name": f"{len(raw)} bytes", "block": compress(raw).hex(), "raw_count": len(raw), "raw": raw.hex()})
    for vector in vectors:
        block, raw = bytes.fromhex(vector["block"]), bytes.fromhex(vector["raw"])
        assert lz4.block.decompress(block, uncompressed_size=vector["raw_count"]) == raw == wire.lz4_decompress(block, len(raw))
    return vectors


def rings():
    def member(number, zone, virtual_nodes):
        return {"id": number * 0x0101010101010101, "name": f"n{number}", "address": f"n{number}:7000", "zone": zone, "virtual_nodes": virtual_nodes}

    shapes = [
        ("one node", 3, [member(1, "", 4)]),
        ("three nodes", 3, [member(n, "", 64) for n in (1, 2, 3)]),
        ("five nodes", 3, [member(n, "", 16) for n in range(1, 6)]),
        ("six nodes in three zones", 3, [member(n, "abc"[n % 3], 16) for n in range(1, 7)]),
        ("five nodes in two zones", 3, [member(n, "ab"[n % 2], 8) for n in range(1, 6)]),
        ("uneven nodes", 2, [member(1, "a", 1), member(2, "a", 32), member(3, "b", 8)]),
    ]
    three = [member(n, "", 16) for n in (1, 2, 3)]
    shapes = [(name, factor, members, None) for name, factor, members in shapes] + [
        ("a node joins three", 3, three, {"replication_factor": 3, "members": three + [member(4, "", 16)]}),
        ("a node leaves four", 2, three + [member(4, "", 16)], {"replication_factor": 2, "members": three}),
        ("a node takes another's place", 2, three, {"replication_factor": 2, "members": three[:2] + [member(4, "", 16)]}),
        ("one copy more", 1, three, {"replication_factor": 2, "members": three}),
        ("a factor above the number of nodes moves nothing", 3, three, {"replication_factor": 5, "members": three}),
    ]
    vectors = []
    for name, factor, members, after in shapes:
        layout = {"replication_factor": factor, "members": members}
        ring = {
            "cluster_id": CLUSTER, "epoch": 1, "layout": layout, "next": after,
            "acceptors": sorted(m["id"] for m in members)[:5]}
        tokens = [0, 1, MAX64, 1 << 63] + [xxhash.xxh64(f"key-{index}".encode()).intdigest() for index in range(12)]
        tokens += [wire.member_tokens(members[0])[0], (max(t for m in members for t in wire.member_tokens(m)) + 1) & MAX64]
        vectors.append({
            "name": name, "ring": ring,
            "tokens": [[f"{token:016x}" for token in wire.member_tokens(m)[:4]] for m in members],
            "replicas": [
                {"token": f"{token:016x}", "nodes": wire.replicas(layout, token), "next": wire.next_replicas(ring, token)}
                for token in tokens]})
    return vectors


def trees():
    registers = [{"key": hexed(f"key-{index}"), "accepted": {"time": TIME + index, "node": index % 3 + 1}} for index in range(40)]
    promised_only = {"key": hexed("key-40"), "accepted": None}
    whole = {"after": MAX64, "through": MAX64}
    token = wire.xxh64(b"key-7")
    shapes = [
        ("the whole ring in one leaf", whole, 1), ("the whole ring", whole, 16),
        ("a part that runs over the end", {"after": 3 << 62, "through": 1 << 62}, 7),
        ("a part with both ends within", {"after": 1 << 62, "through": 3 << 62}, 1_000),
        ("one token", {"after": token - 1, "through": token}, 8),
        ("fewer tokens than leaves", {"after": token - 3, "through": token}, 8),
        ("the last leaf takes the rest", {"after": token - 12, "through": token}, 4),
    ]
    vectors = []
    for name, stretch, count in shapes:
        held = [(bytes.fromhex(register["key"]), register["accepted"]) for register in registers]
        for key, ballot in held:
            digest = xxhash.xxh64(key + ballot["time"].to_bytes(8, "little") + ballot["node"].to_bytes(8, "little")).intdigest()
            assert digest == wire.register_hash(key, ballot)
        # Without those that lie elsewhere: a replica is asked for what it has of the range.
        inside = [r for r in registers if wire.contains(stretch, xxhash.xxh64(bytes.fromhex(r["key"])).intdigest())]
        vectors.append({
            "name": name, "range": stretch, "leaves": count, "registers": inside + [promised_only],
            "tree": wire.tree_leaves(stretch, count, held)})
    return vectors


def partitions():
    vectors = []
    for key in (b"", b"drone-7", b"meter-12", "città".encode()):
        for count in (1, 8, 12, 1_024):
            vectors.append({"key": key.hex(), "partitions": count, "partition": xxhash.xxh64(key).intdigest() % count})
    return vectors


def main():
    save("frames.json", "Whole frames of every message. See ../frame.md and ../messages.md.", frames())
    save("malformed.json", "Bytes that must be refused, or are not whole yet.", malformed())
    save("batches.json", "Batches as stored and sent. See ../batches.md.", batches())
    save("membership.json", "Contents of gossip frames. See ../membership.md.",
         [{"name": name, "value": value, "hex": wire.encode_membership(value).hex()} for name, value in MEMBERSHIP])
    save("xxh64.json", "Digests by the xxhash library.", hashes())
    save("lz4.json", "Blocks by the lz4 library, and by hand.", blocks())
    save("rings.json", "Tokens (the first four of each member) and replica sets. See ../hashing.md.", rings())
    save("trees.json", "Merkle trees of stretches of the ring. See ../hashing.md.", trees())
    save("partitions.json", "Partitions of keyed records. See ../hashing.md.", partitions())
    save("handshake.json", "Proofs of the cluster secret. See ../handshake.md.", [
        {"secret": SECRET, "hello": BODIES[0].hex(), "challenge": BODIES[1].hex(), **PROOFS}])
    print(wire.check(FOLDER), "checks hold")


if __name__ == "__main__":
    main()
