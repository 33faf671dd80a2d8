import Testing
import Wire

/// Guards the numbers of the protocol: the specification lists every one, and nothing else.
@Suite struct NumbersTests {
    @Test func messageTypesAreThoseOfTheSpecification() throws {
        let rows = Specification.numberedRows(try section("## Numbers", of: "messages.md"))
        #expect(rows.map { "\($0.number) \($0.cells[0])" } == MessageType.allCases.map { "\($0.rawValue) `\($0)`" })
        let text = try Specification.text("messages.md")
        for type in MessageType.allCases where type != .deleteTopic && type != .deleted {
            #expect(text.contains("**\(type.rawValue) \(type)**"), "the body of \(type) is specified")
        }
    }

    @Test func errorCodesAreThoseOfTheSpecification() throws {
        let rows = Specification.numberedRows(try Specification.text("errors.md"))
        #expect(rows.map { "\($0.number) \($0.cells[0])" } == ErrorCode.allCases.map { "\($0.rawValue) `\($0)`" })
    }

    /// Once more as a list of their own, so that changing code and specification together is noticed too.
    @Test func numbersNeverMove() {
        let types = """
            1:hello 2:challenge 3:proof 4:welcome 5:error 16:clusterRequest 17:clusterState 18:statsRequest 19:stats \
            32:readRequest 33:readAnswer 34:writeRequest 35:writeAnswer 36:scanRequest 37:scanAnswer 38:watchRequest \
            39:watchAnswer 48:createTopic 49:describeTopics 50:topics 51:deleteTopic 52:deleted 53:produce 54:produced \
            55:fetch 56:fetched 57:offsetRequest 58:offsetAnswer 59:alterTopic 60:electPrimary 61:elected 64:prepare 65:promise 66:accept 67:accepted 68:refused 69:replicaRead 70:replicaState \
            71:replicaScan 72:replicaPage 73:subscribe 74:subscribed 75:changedKeys 80:append 81:appended 82:reconfigured 96:found \
            97:founded 98:gossip 99:ringRequest 100:ringState 101:held 102:changeRing 103:ringPlan 104:forgetMember \
            105:done 112:rangeRequest 113:rangePage 114:treeRequest 115:tree 116:collect 117:collected \
            118:repairRequest 119:repairStatus
            """
        #expect(MessageType.allCases.map { "\($0.rawValue):\($0)" }.joined(separator: " ") == types)
        let codes = """
            1:invalid 2:noQuorum 3:outcomeUnknown 4:staleEpoch 5:tooOld 6:clockDrift 7:overloaded 8:noRing 9:unknownTopic \
            10:partitionOutOfRange 11:notPrimary 12:offsetOutOfRange 13:notReady 14:readOnly 15:draining 16:corruptBatch \
            17:sequenceGap 18:internalError 19:ringBusy 20:ringRefused 21:notWhole 22:notInSync 32:wrongCluster 33:wrongVersion 34:wrongSecret 35:duplicateNode \
            36:protocolViolation 37:tooManyConnections
            """
        #expect(ErrorCode.allCases.map { "\($0.rawValue):\($0)" }.joined(separator: " ") == codes)
        #expect(Role.allCases.map { "\($0.rawValue):\($0)" } == ["1:node", "2:gateway", "3:agent", "4:tool"])
        #expect(ConnectionPurpose.allCases.map { "\($0.rawValue):\($0)" } == ["1:control", "2:bulk", "3:client"])
        #expect(MemberState.allCases.map { "\($0.rawValue):\($0)" } == ["1:alive", "2:suspect", "3:dead", "4:left"])
        #expect(
            Consistency.allCases.map { "\($0.rawValue):\($0)" } == [
                "1:quorum", "2:one", "3:all", "4:any", "5:serial", "6:local",
            ])
        #expect(Cleanup.allCases.map { "\($0.rawValue):\($0)" } == ["0:delete", "1:compact"])
        #expect(RecordBatch.Codec.none.rawValue == 0 && RecordBatch.Codec.lz4.rawValue == 1)
        #expect(
            FrameHeader.size == 32 && FrameHeader.Flags.answer.rawValue == 1
                && FrameHeader.Flags.compressed.rawValue == 2)
        #expect(Handshake.version == 1 && RecordBatch.headerBytes == 61)
    }

    @Test func limitsAreThoseOfTheSpecification() throws {
        let rows = try section("# Limits", of: "limits.md").split(separator: "\n").filter {
            $0.hasPrefix("|") && $0.contains("`")
        }
        func range<T>(_ range: ClosedRange<T>) -> String { "\(range.lowerBound) to \(range.upperBound)" }
        let expected: [(String, String)] = [
            ("keyBytesMax", "1 to \(WireLimits.keyBytesMax)"), ("valueBytesMax", "\(WireLimits.valueBytesMax)"),
            ("frameBytesMax", "\(WireLimits.frameBytesMax)"), ("handshakeBytesMax", "\(WireLimits.handshakeBytesMax)"),
            ("gossipBytesMax", "\(WireLimits.gossipBytesMax)"), ("recordBytesMax", "\(WireLimits.recordBytesMax)"),
            ("batchBytesMax", "\(WireLimits.batchBytesMax)"),
            ("sparseBatchBytesMax", "\(WireLimits.sparseBatchBytesMax)"),
            ("recordHeadersMax", "\(WireLimits.recordHeadersMax)"),
            ("ringMembersMax", "\(WireLimits.ringMembersMax)"),
            ("ringAcceptorsMax", "\(WireLimits.ringAcceptorsMax)"),
            ("treeLeavesMax", "1 to \(WireLimits.treeLeavesMax)"),
            ("virtualNodesMax", "1 to \(WireLimits.virtualNodesMax)"),
            ("scanItemsMax", "\(WireLimits.scanItemsMax)"), ("scanBytesMax", "\(WireLimits.scanBytesMax)"),
            ("producersMax", "\(WireLimits.producersMax)"),
            ("partitionsMax", "1 to \(WireLimits.partitionsMax)"), ("nameBytesMax", "\(WireLimits.nameBytesMax)"),
            ("detailBytesMax", "\(WireLimits.detailBytesMax)"), ("listItemsMax", "\(WireLimits.listItemsMax)"),
            ("ttlMsRange", range(WireLimits.ttlMsRange)), ("leaseMsRange", range(WireLimits.leaseMsRange)),
            ("waitMsMax", "\(Fetch.waitMsMax)"), ("watchWaitMsMax", "\(WireLimits.watchWaitMsMax)"),
            ("compressionThresholdBytes", "\(WireLimits.compressionThresholdBytes)"),
        ]
        #expect(rows.count == expected.count)
        for (row, (name, value)) in zip(rows, expected) {
            let cells = row.split(separator: "|").map { $0.split(separator: " ").joined(separator: " ") }
            #expect(cells[1] == value && cells[2] == "`\(name)`", "\(row)")
        }
    }

    @Test func bodiesHaveTheLimitOfTheirType() throws {
        let rows = try section("## Bodies by type", of: "limits.md").split(separator: "\n").filter { $0.contains("`") }
        var specified: [(String, Int)] = []
        for row in rows {
            let cells = row.split(separator: "|")
            let limit = try #require(Int(cells[0].split(separator: " ")[0]))
            for name in cells[1].split(separator: " ") { specified.append((name.filter { $0 != "`" }, limit)) }
        }
        #expect(specified.count == MessageType.allCases.count)
        for type in MessageType.allCases {
            #expect(specified.first { $0.0 == "\(type)" }?.1 == type.bodyBytesMax, "\(type)")
        }
    }

    /// A section of a file, from its heading to the next one.
    private func section(_ heading: String, of name: String) throws -> String {
        let lines = try Specification.text(name).split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex { $0 == heading })
        return lines[(start + 1)...].prefix { !$0.hasPrefix("#") }.joined(separator: "\n")
    }
}
