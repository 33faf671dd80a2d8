// The protocol's own types in its encodings, shared by all messages.

extension ByteWriter {
    mutating func clusterID(_ value: ClusterID) {
        integer(value.high)
        integer(value.low)
    }

    /// Appends a ballot: time, then node.
    public mutating func ballot(_ value: Ballot) {
        integer(value.time.rawValue)
        integer(value.node.rawValue)
    }

    /// Appends a key behind its length.
    public mutating func key(_ value: Key) {
        integer(UInt16(value.bytes.count))
        raw(value.bytes)
    }

    /// Appends a cell.
    public mutating func cell(_ value: Cell) {
        ballot(value.version)
        optional(value.base) { $0.ballot($1) }
        integer(value.expiryMs ?? 0)
        switch value.content {
        case .tombstone: integer(UInt8(0))
        case .value(let bytes):
            integer(UInt8(1))
            blob(bytes)
        }
    }

    /// Appends an accepted cell: ballot, then cell.
    public mutating func accepted(_ value: AcceptedCell) {
        ballot(value.ballot)
        cell(value.cell)
    }

    mutating func partition(_ value: PartitionID) {
        integer(value.topic.rawValue)
        integer(value.index)
    }
}

extension ByteReader {
    mutating func clusterID() throws(WireError) -> ClusterID {
        let high: UInt64 = try integer("cluster id")
        return ClusterID(high: high, low: try integer("cluster id"))
    }

    /// A value of an enumeration by its number.
    public mutating func raw<T: RawRepresentable>(_ field: StaticString, _ type: T.Type) throws(WireError) -> T
    where T.RawValue: FixedWidthInteger {
        let number: T.RawValue = try integer(field)
        guard let value = T(rawValue: number) else {
            throw .invalid(field: "\(field)", found: "\(number)", expected: "a number that this version knows")
        }
        return value
    }

    /// A ballot.
    public mutating func ballot(_ field: StaticString = "ballot") throws(WireError) -> Ballot {
        let time = HybridTime(try integer(field))
        return Ballot(time: time, node: NodeID(try integer(field)))
    }

    /// A key of 1 to 512 bytes.
    public mutating func key(_ field: StaticString = "key") throws(WireError) -> Key {
        let count = Int(try integer(field, as: UInt16.self))
        guard count <= WireLimits.keyBytesMax else {
            throw .overLimit(field: "\(field)", found: count, max: WireLimits.keyBytesMax)
        }
        return try Key(try raw(field, count: count)).validated()
    }

    /// A cell.
    public mutating func cell() throws(WireError) -> Cell {
        let version = try ballot("version")
        let base = try optional("base") { reader throws(WireError) in try reader.ballot("base") }
        let expiry: UInt64 = try integer("expiry")
        let kind: UInt8 = try integer("content")
        let content: Cell.Content
        switch kind {
        case 0: content = .tombstone
        case 1: content = .value(try blob("value", max: WireLimits.valueBytesMax))
        default: throw .invalid(field: "content", found: "\(kind)", expected: "0 (tombstone) or 1 (value)")
        }
        return Cell(version: version, base: base, content: content, expiryMs: expiry == 0 ? nil : expiry)
    }

    /// An accepted cell.
    public mutating func accepted() throws(WireError) -> AcceptedCell {
        let ballot = try ballot("accepted ballot")
        return AcceptedCell(ballot: ballot, cell: try cell())
    }

    mutating func partition() throws(WireError) -> PartitionID {
        let topic = TopicID(try integer("topic id"))
        return PartitionID(topic: topic, index: try integer("partition"))
    }
}
