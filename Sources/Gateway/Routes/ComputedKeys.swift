import Energy
import Fleet
import FleetRules
import HTTPTypes
import StormoClient
import Wire

/// Keys of the source systems whose documents are computed when they are read: lists of what else is stored, newest
/// last, at most 500.
struct ComputedKeys {
    /// A list and what it lists.
    private enum Document {
        case drones
        case deliveries
        case readings(floor: Int)
    }

    /// Entries of a list: what the source system kept.
    private static let entriesMax = 500

    let services: GatewayServices

    /// The document of a key; nil when the key is an ordinary one.
    func document(of key: Key) async throws -> [UInt8]? {
        let entries: [String]
        switch Self.document(key) {
        case nil: return nil
        case .drones:
            let items = try await services.client.scanAll(
                prefix: FleetNames.dronePrefix, max: services.fleet.settings.dronesMax, keysOnly: true)
            entries = items.suffix(Self.entriesMax).map {
                String($0.key.description.dropFirst(FleetNames.dronePrefix.count))
            }
        case .deliveries:
            let page = try await services.fleet.deliveries(limit: Self.entriesMax)
            entries = page.deliveries.reversed().map(\.value.id)
        case .readings(let floor):
            entries = try await services.energy.index(floor: floor)
            if entries.isEmpty { throw Problem.notFound("key", "floor \(floor) has no readings") }
        }
        var writer = JSONWriter(capacity: entries.count * 32)
        writer.array { for entry in entries { $0.string(entry) } }
        return writer.bytes
    }

    /// Refuses to write what is computed.
    static func refuse(_ key: Key) throws(Problem) {
        if document(key) != nil {
            throw .conflict("computed_key", "\(key) is computed when it is read and cannot be written")
        }
    }

    /// A version that changes when the document does.
    static func version(of document: [UInt8]) -> String { "computed-\(Hex.fixed(XXH64.hash(document)))" }

    private static func document(_ key: Key) -> Document? {
        if key == FleetNames.dronesIndex { return .drones }
        let name = key.description
        if name == "deliveries_index" { return .deliveries }
        guard name.hasPrefix("energy:p"), name.hasSuffix(":index") else { return nil }
        let floor = name.dropFirst("energy:p".count).dropLast(":index".count)
        // "01" would be another name of floor 1, which nothing else knows.
        guard let number = Int(floor), String(number) == floor else { return nil }
        return .readings(floor: number)
    }
}
