import Testing

@testable import Wire

/// Counts and lengths that promise more than is there, or more than is allowed, are refused before anything is
/// allocated for them.
@Suite struct LyingCountTests {
    private func refusal(_ type: MessageType, _ body: [UInt8]) -> WireError? {
        failure { () throws(WireError) in
            _ = try reading(body) { reader throws(WireError) in try Message(type, from: &reader) }
        }
    }

    @Test func listsOfEveryMessage() {
        let zeros = [UInt8](repeating: 0, count: 8)
        let partition = little(UInt64(1)) + little(UInt32(0))
        let cluster = zeros + zeros + little(UInt32(1))
        let appending = partition + little(UInt32(0)) + zeros + little(UInt32(0)) + zeros + zeros
        // What comes before the count, the field's name, its limit, and the least bytes of an element.
        let cases: [(MessageType, before: [UInt8], field: String, max: Int, least: Int)] = [
            (.clusterState, little(UInt16(0)) + zeros + [0], "members", 65_536, 24),
            (.stats, [], "statistics", 65_536, 10),
            (.scanAnswer, [], "items", 1_000, 29),
            (.replicaPage, [], "items", 1_000, 45),
            (.topics, [], "topics", 65_536, 39),
            (.fetched, little(UInt32(0)) + zeros + zeros, "batches", 65_536, 61),
            (.append, appending, "producers", 10_000, 36),
            (.append, appending + little(UInt32(0)), "batches", 65_536, 61),
            (.found, zeros + zeros + little(UInt32(1)) + little(UInt16(1)), "members", 64, 16),
            (.found, cluster + little(UInt16(1)) + little(UInt32(0)) + [0], "acceptors", 5, 8),
            (.found, cluster + little(UInt16(1)) + little(UInt32(0)) + [1] + little(UInt16(1)), "members", 64, 16),
            (.watchAnswer, [0], "items", 1_000, 29),
            (.changedKeys, [], "keys", 1_000, 3),
            (.ringPlan, little(UInt32(1)) + little(UInt16(1)), "shares", 128, 22),
            (.ringPlan, little(UInt32(1)) + little(UInt16(1)) + little(UInt32(0)), "dangers", 65_536, 22),
            (.rangePage, [], "items", 1_000, 20),
            (.tree, [], "leaves", 1_024, 8),
            (.collect, [], "items", 1_000, 19),
            (.collected, [], "confirmed", 1_000, 1),
        ]
        for (type, before, field, max, least) in cases {
            let over = before + little(UInt32(max + 1))
            #expect(refusal(type, over) == .overLimit(field: field, found: max + 1, max: max), "\(type)")
            #expect(
                refusal(type, before + little(UInt32.max)) == .overLimit(field: field, found: Int(UInt32.max), max: max)
            )
            let short = before + little(UInt32(max)) + [0, 0, 0]
            #expect(refusal(type, short) == .truncated(field: field, needed: max * least, available: 3), "\(type)")
        }
    }

    @Test func textsAndBytes() {
        #expect(
            refusal(.describeTopics, little(UInt16(256)) + [UInt8](repeating: 97, count: 256))
                == .overLimit(field: "topic", found: 256, max: 255))
        #expect(
            refusal(.describeTopics, little(UInt16(255)) + [97])
                == .truncated(field: "topic", needed: 255, available: 1))
        #expect(
            refusal(.describeTopics, little(UInt16(2)) + [0xC3, 0x28])
                == .invalid(field: "topic", found: "bytes that are not UTF-8", expected: "UTF-8 text"))
        #expect(
            refusal(.error, little(UInt16(1)) + little(UInt16(1_025)))
                == .overLimit(field: "detail", found: 1_025, max: 1_024))
        #expect(refusal(.readRequest, little(UInt16(513))) == .overLimit(field: "key", found: 513, max: 512))
        #expect(
            refusal(.readRequest, little(UInt16(0)) + [1])
                == .invalid(field: "key", found: "an empty key", expected: "1 to 512 bytes"))
        #expect(refusal(.scanRequest, little(UInt16(513))) == .overLimit(field: "prefix", found: 513, max: 512))
        let put = little(UInt16(1)) + [7, 1, 1]
        #expect(
            refusal(.writeRequest, put + little(UInt32(1 << 20 + 1)))
                == .overLimit(field: "value", found: 1 << 20 + 1, max: 1 << 20))
        #expect(
            refusal(.writeRequest, put + little(UInt32(1 << 20)))
                == .truncated(field: "value", needed: 1 << 20, available: 0))
        #expect(
            refusal(.scanAnswer, little(UInt32(0)) + [1] + little(UInt32(513)))
                == .overLimit(field: "resume", found: 513, max: 512))
    }

    @Test func numbersOutOfRange() {
        let key = little(UInt16(1)) + [7]
        #expect(refusal(.readRequest, key + [0]) != nil)
        #expect(refusal(.readRequest, key + [7]) != nil)
        #expect(refusal(.writeRequest, key + [1, 0]) == .invalid(field: "change", found: "0", expected: "1 to 5"))
        #expect(
            refusal(.writeRequest, key + [1, 2, 3]) == .invalid(field: "condition", found: "3", expected: "0 to 2"))
        for ms in [1, 999, WireLimits.ttlMsRange.upperBound + 1, .max] {
            #expect(
                refusal(.writeRequest, key + [1, 1] + little(UInt32(0)) + little(ms) + [0]) != nil, "ttl of \(ms) ms")
        }
        for ms in [0, 999, 3_600_001] as [UInt64] {
            #expect(refusal(.writeRequest, key + [1, 3] + little(UInt16(0)) + little(ms)) != nil, "lease of \(ms) ms")
        }
        for limit in [0, 1_001] as [UInt32] {
            #expect(refusal(.scanRequest, [0, 0, 0, 0] + little(limit) + [0]) != nil)
        }
        #expect(refusal(.accepted, [2]) == .invalid(field: "next promised", found: "2", expected: "0 or 1"))
        let fetch = little(UInt64(1)) + little(UInt32(0)) + little(UInt64(0)) + little(UInt32(0))
        #expect(
            refusal(.fetch, fetch + little(UInt32(30_001)))
                == .overLimit(field: "wait in ms", found: 30_001, max: 30_000))
        #expect(refusal(.error, little(UInt16(23)) + little(UInt16(0))) != nil)
        #expect(refusal(.watchRequest, [0, 0, 0] + little(WireLimits.watchWaitMsMax)) == nil)
        #expect(refusal(.watchRequest, [0, 0, 0] + little(WireLimits.watchWaitMsMax + 1)) != nil)
        let range = little(UInt64(1)) + little(UInt64(2))
        for leaves in [0, 1_025] as [UInt16] { #expect(refusal(.treeRequest, range + little(leaves)) != nil) }
        for limit in [0, 1_001] as [UInt32] { #expect(refusal(.rangeRequest, range + [0] + little(limit)) != nil) }
        for change in [0, 6, 255] as [UInt8] {
            #expect(
                refusal(.changeRing, [change, 0])
                    == .invalid(field: "ring change", found: "\(change)", expected: "1 to 5"))
        }
        for partitions in [0, 1_025] as [UInt32] {
            let rest = little(UInt16(1)) + little(UInt16(0)) + little(UInt64(0)) + little(UInt64(0)) + [0]
            #expect(refusal(.createTopic, little(UInt16(0)) + little(partitions) + rest) != nil)
        }
        let noCopies =
            little(UInt32(1)) + little(UInt16(0)) + little(UInt16(0)) + little(UInt64(0)) + little(UInt64(0)) + [0]
        #expect(refusal(.createTopic, little(UInt16(0)) + noCopies) != nil)
    }

    @Test func ringsThatHoldNothingOrAMemberTwice() {
        let cluster = little(UInt64(1)) + little(UInt64(2)) + little(UInt32(1))
        func member(_ id: UInt64, virtualNodes: UInt16 = 1) -> [UInt8] {
            little(id) + [0, 0, 0, 0, 0, 0] + little(virtualNodes)
        }
        func ring(_ factor: UInt16, _ members: [[UInt8]]) -> [UInt8] {
            cluster + layout(factor, members) + [0] + little(UInt32(0))
        }
        func layout(_ factor: UInt16, _ members: [[UInt8]]) -> [UInt8] {
            little(factor) + little(UInt32(members.count)) + members.flatMap { $0 }
        }
        #expect(refusal(.found, ring(1, [member(1), member(2)])) == nil)
        #expect(
            refusal(.found, ring(0, [member(1)]))
                == .invalid(field: "replication factor", found: "0", expected: "at least 1"))
        #expect(
            refusal(.found, ring(1, [member(1), member(2), member(1)]))
                == .invalid(field: "members", found: "\(NodeID(1)) twice", expected: "each member once"))
        let one = cluster + layout(1, [member(1)])
        #expect(refusal(.found, one + [1] + layout(1, [member(2)]) + little(UInt32(0))) == nil)
        #expect(
            refusal(.found, one + [1] + layout(0, [member(2)]))
                == .invalid(field: "replication factor", found: "0", expected: "at least 1"))
        #expect(refusal(.found, one + [1] + layout(1, [member(2), member(2)])) != nil)
        let acceptors = little(UInt64(7)) + little(UInt64(7))
        #expect(
            refusal(.found, one + [0] + little(UInt32(2)) + acceptors)
                == .invalid(
                    field: "acceptors", found: "\(NodeID(7)) behind \(NodeID(7))", expected: "ids in order, each once"))
        #expect(refusal(.found, ring(1, [member(1, virtualNodes: 0)])) != nil)
        #expect(refusal(.found, ring(1, [member(1, virtualNodes: 1_025)])) != nil)
    }

    @Test func longErrorTextsAreCutToWhatAPeerTakes() throws {
        // One letter of 61 bytes: the limit is one of bytes, not of letters.
        let letter = "e" + String(repeating: "\u{301}", count: 30)
        for detail in [
            String(repeating: letter, count: 256), String(repeating: "è", count: 600),
            String(repeating: "x", count: 9_999),
        ] {
            let message = ErrorMessage(code: .invalid, detail: detail)
            #expect((1_020...1_024).contains(message.detail.utf8.count))
            #expect(detail.utf8.starts(with: message.detail.utf8))
            #expect(try whole(frame(.error(message)))?.message == .error(message))
        }
        #expect(ErrorMessage(code: .invalid, detail: "short").detail == "short")
    }
}
