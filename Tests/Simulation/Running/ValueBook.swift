import Wire

/// What clients know of the values they were shown. A value and its version belong together for ever: a value that shows
/// under a second version, or a version with a second value, is an error by itself.
struct ValueBook {
    /// A value and its version, as somebody was told.
    struct Sighting {
        let label: RegisterModel.CellNumber
        let version: Ballot
    }

    private var versions: [RegisterModel.CellNumber: Ballot] = [:]
    private var labels: [Ballot: RegisterModel.CellNumber] = [:]
    private var recent: [Int: [Sighting]] = [:]

    private static let recentMax = 8

    /// A client was shown a value. Says what is wrong with it.
    mutating func saw(_ label: RegisterModel.CellNumber, _ version: Ballot, key: Int) -> String? {
        if let known = versions[label], known != version {
            return "value \(label) has version \(Trace.ballot(version)), and had \(Trace.ballot(known))"
        }
        if let known = labels[version], known != label {
            return "version \(Trace.ballot(version)) has value \(label), and had \(known)"
        }
        versions[label] = version
        labels[version] = label
        var sightings = recent[key] ?? []
        if sightings.last?.label != label {
            sightings.append(Sighting(label: label, version: version))
            if sightings.count > Self.recentMax { sightings.removeFirst() }
            recent[key] = sightings
        }
        return nil
    }

    /// What was seen last of a key, or `back` sightings before.
    func recent(_ key: Int, back: Int = 0) -> Sighting? {
        guard let sightings = recent[key], !sightings.isEmpty else { return nil }
        return sightings[max(0, sightings.count - 1 - back)]
    }

    static func bytes(_ label: RegisterModel.CellNumber) -> [UInt8] { Array("v\(label)".utf8) }

    static func owner(_ label: RegisterModel.CellNumber) -> String { "o\(label)" }

    /// The label of a cell as it was answered: nothing for none and for a tombstone; nil for bytes that nobody wrote.
    static func label(_ cell: Cell?, family: KeyFamily) -> RegisterModel.CellNumber? {
        guard let cell, case .value(let bytes) = cell.content else { return RegisterModel.absent }
        guard family == .lock else { return number(bytes[...], after: UInt8(ascii: "v")) }
        guard let lease = try? Lease(bytes) else { return nil }
        return number(Array(lease.owner.utf8)[...], after: UInt8(ascii: "o"))
    }

    private static func number(_ bytes: ArraySlice<UInt8>, after mark: UInt8) -> RegisterModel.CellNumber? {
        guard bytes.first == mark else { return nil }
        return RegisterModel.CellNumber(String(decoding: bytes.dropFirst(), as: UTF8.self))
    }
}
