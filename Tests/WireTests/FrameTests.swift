import Testing

@testable import Wire

@Suite struct FrameTests {
    @Test func everyMessageComesBack() throws {
        let messages = try Samples.messages()
        for message in messages {
            let bytes = frame(message, requestID: .max, answer: true)
            guard case .frame(let decoded, let consumed) = try next(bytes) else {
                Issue.record("\(message.type) is not whole")
                continue
            }
            #expect(decoded.message == message, "\(message.type)")
            #expect(consumed == bytes.count)
            let header = decoded.header
            #expect(
                header.type == message.type && header.requestID == RequestID(.max) && header.flags.contains(.answer))
            #expect(header.time == HybridTime(milliseconds: 5) && header.epoch == Epoch(2))
        }
        for type in MessageType.allCases { #expect(messages.contains { $0.type == type }, "\(type)") }
    }

    @Test func rostersAndVotesCompareByAllTheyHold() {
        let other = Ring(clusterID: .none, epoch: Samples.ring.epoch, replicationFactor: 2, members: [])
        #expect(Message.found(Found(ring: Samples.ring)) != Message.found(Found(ring: other)))
    }

    @Test func manyFramesLeaveOneBufferInOrder() throws {
        var encoder = FrameEncoder()
        #expect(encoder.isEmpty)
        for id in 1...50 as ClosedRange<UInt32> {
            encoder.append(
                id.isMultiple(of: 7) ? .gossip([UInt8](repeating: 1, count: 3_000)) : .deleted,
                requestID: RequestID(id), time: .zero,
                epoch: .none)
        }
        var rest = encoder.output.bytes[...]
        for id in 1...50 as ClosedRange<UInt32> {
            guard case .frame(let frame, let consumed) = try next(rest) else { break }
            #expect(frame.header.requestID.rawValue == id)
            rest = rest.dropFirst(consumed)
        }
        #expect(rest.isEmpty)
        encoder.clear()
        #expect(encoder.isEmpty)
    }

    @Test func aPartOfAFrameAsksForTheRest() throws {
        for message in try Samples.messages() {
            let bytes = frame(message)
            // Every cut of the short ones, and cuts spread over the long ones.
            let step = max(1, bytes.count / 200)
            for count in stride(from: 0, to: bytes.count, by: step) {
                guard case .needsBytes(let needed) = try next(bytes.prefix(count)) else {
                    Issue.record("\(count) of \(bytes.count) bytes of \(message.type) are no frame")
                    continue
                }
                #expect(needed == (count < FrameHeader.size ? FrameHeader.size : bytes.count))
            }
        }
    }

    /// A body that ends early, with header and checksum set right, is refused by the field that is cut.
    @Test func everyCutBodyIsRefused() throws {
        for message in try Samples.messages() where message.type != .gossip {
            let body = message.encodedBody
            guard body.count > 0 else { continue }
            let step = max(1, body.count / 300)
            for count in stride(from: 0, to: body.count, by: step) {
                let error = failure { () throws(WireError) in
                    _ = try reading(Array(body.prefix(count))) { reader throws(WireError) in
                        try Message(message.type, from: &reader)
                    }
                }
                switch error {
                case .truncated, .invalid: break
                default:
                    Issue.record("\(count) of \(body.count) bytes of \(message.type): \(String(describing: error))")
                }
            }
        }
    }

    @Test func bytesBehindABodyAreRefused() throws {
        for message in try Samples.messages() where message.type != .gossip {
            let error = failure { () throws(WireError) in
                _ = try reading(message.encodedBody + [0]) { reader throws(WireError) in
                    try Message(message.type, from: &reader)
                }
            }
            #expect(error == .trailing(message: "test", count: 1), "\(message.type)")
        }
    }

    /// Every byte of a frame changed in three ways: the frame is refused or still incomplete, never taken for another.
    @Test func noDamagedFrameIsTakenForAnother() throws {
        for message in try Samples.messages() {
            let bytes = frame(message)
            guard bytes.count < 3_000 else { continue }
            for index in bytes.indices {
                for change in [0x01, 0x80, 0xFF] as [UInt8] {
                    let taken = try? whole(bytes.with(index, [bytes[index] ^ change]))
                    #expect(taken == nil, "\(message.type), byte \(index)")
                }
            }
        }
    }

    /// As above, but with the checksum set right, as a hostile peer would: whatever is decoded, nothing crashes.
    @Test func nothingAHostilePeerSendsCrashes() throws {
        var outcomes = (taken: 0, refused: 0)
        for message in try Samples.messages() {
            let bytes = frame(message)
            guard bytes.count < 2_000 else { continue }
            for index in 8..<bytes.count {
                for change in [0x01, 0x80, 0xFF] as [UInt8] {
                    if (try? whole(bytes.with(index, [bytes[index] ^ change]).sealed)) != nil {
                        outcomes.taken += 1
                    } else {
                        outcomes.refused += 1
                    }
                }
            }
        }
        #expect(outcomes.taken > 1_000 && outcomes.refused > 1_000)
    }

    @Test func randomBytesAreRefusedOrIncomplete() {
        let noise = Samples.noise(200_000)
        for start in stride(from: 0, to: noise.count - 256, by: 64) {
            #expect((try? whole(noise[start..<start + 256])) == nil)
        }
    }

    // MARK: Headers that lie

    @Test func limitsAreCheckedByTheHeaderAlone() {
        let bytes = frame(.statsRequest)
        for type in MessageType.allCases {
            let header = bytes.with(8, little(type.rawValue))
            let over = UInt32(type.bodyBytesMax + 1)
            #expect(
                failure { () throws(WireError) in _ = try next(header.with(0, little(over + 28))) }
                    == .overLimit(field: "body of \(type)", found: Int(over), max: type.bodyBytesMax))
            #expect(
                failure { () throws(WireError) in _ = try next(header.with(28, little(over)).with(10, [2])) }
                    == .overLimit(field: "raw length of \(type)", found: Int(over), max: type.bodyBytesMax))
        }
    }

    @Test func strangersMaySendLittle() {
        let bytes = frame(.produced(Produced(baseOffset: 1)))
        let large = bytes.with(0, little(UInt32(28 + 5_000)))
        #expect(
            failure { () throws(WireError) in _ = try next(large, bodyBytesMax: WireLimits.handshakeBytesMax) }
                == .overLimit(field: "body of produced", found: 5_000, max: 4_096))
        #expect((try? next(bytes, bodyBytesMax: 8)) != nil)
    }

    @Test func headersOfOthersAreRefused() {
        let bytes = frame(.readRequest(ReadRequest(key: Key("k"), consistency: .one)))
        #expect(failure { () throws(WireError) in _ = try next(bytes.with(0, little(UInt32(27)))) } != nil)
        #expect(
            failure { () throws(WireError) in _ = try next(bytes.with(8, little(UInt16(999)))) } == .unknownType(999))
        for flags in [4, 8, 128, 255] as [UInt8] {
            #expect(failure { () throws(WireError) in _ = try next(bytes.with(10, [flags]).sealed) } != nil)
        }
        #expect(failure { () throws(WireError) in _ = try next(bytes.with(11, [1]).sealed) } != nil)
        #expect(failure { () throws(WireError) in _ = try next(bytes.with(28, little(UInt32(3))).sealed) } != nil)
        let http = Array("GET /v1/keys HTTP/1.1\r\nHost: localhost:7000\r\n\r\n".utf8)
        #expect(failure { () throws(WireError) in _ = try next(http) } != nil)
        #expect(failure { () throws(WireError) in _ = try next([UInt8](repeating: 0, count: 64)) } != nil)
    }

    // MARK: Compression

    @Test func bodiesAreCompressedWhenThatMakesThemSmaller() {
        let plain = frame(.gossip([UInt8](repeating: 1, count: WireLimits.compressionThresholdBytes - 1)))
        #expect(plain[10] & 2 == 0)
        let packed = frame(.gossip([UInt8](repeating: 1, count: WireLimits.compressionThresholdBytes)))
        #expect(packed[10] & 2 == 2 && packed.count < 100)
        #expect(frame(.gossip(Samples.noise(5_000)))[10] & 2 == 0)
    }

    @Test func bombsAreRefusedBeforeTheyGoOff() throws {
        let bytes = frame(.gossip([UInt8](repeating: 0, count: 100_000)))
        let packedCount = bytes.count - 32
        // More than LZ4 can restore from so few bytes: refused by arithmetic.
        let impossible = packedCount * 255 + 65
        #expect(
            failure { () throws(WireError) in _ = try next(bytes.with(28, little(UInt32(impossible))).sealed) }
                == .decompression(declared: impossible))
        for declared in [0, 1, 99_999, 100_001] {
            #expect(
                failure { () throws(WireError) in _ = try next(bytes.with(28, little(UInt32(declared))).sealed) }
                    == .decompression(declared: declared), "it must restore exactly what it declares")
        }
        #expect(try whole(bytes) != nil)
    }

    @Test func damagedBlocksAreRefused() throws {
        let bytes = frame(.gossip([UInt8](repeating: 3, count: 2_000) + Samples.noise(60)))
        for index in 32..<bytes.count {
            // Damaged literals restore to something else of the right length: only the checksum can tell.
            let damaged = bytes.with(index, [bytes[index] ^ 0x55])
            #expect((try? whole(damaged)) == nil)
            _ = try? whole(damaged.sealed)
        }
        let empty = [UInt8]()
        #expect(
            failure { () throws(WireError) in _ = try unpacked(empty, rawCount: 10) } == .decompression(declared: 10))
        #expect(failure { () throws(WireError) in _ = try unpacked([0], rawCount: -1) } != nil)
        #expect(failure { () throws(WireError) in _ = try unpacked([0], rawCount: .max) } != nil)
        #expect(try unpacked([0], rawCount: 0) == [])
    }

    private func unpacked(_ block: [UInt8], rawCount: Int) throws(WireError) -> [UInt8] {
        let result: Result<[UInt8], WireError> = block.withUnsafeBytes { bytes in
            do throws(WireError) { return .success(try LZ4Block.decompress(bytes, rawCount: rawCount)) } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}
