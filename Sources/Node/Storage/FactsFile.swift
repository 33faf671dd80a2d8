import NodeCore
import Wire

/// The node's facts once more, in the file `FACTS` of the data directory: they must survive the loss of the database.
struct FactsFile: Hashable, Sendable {
    /// The facts.
    var facts: [NodeFact: [UInt8]]
    /// All that the journal has of facts up to this use of a segment is among them.
    var use: UInt64

    /// The file of a directory; nil when there is none. Throws when it is damaged or of an unknown version.
    static func load(from directory: String) throws(StorageOpenError) -> FactsFile? {
        let path = directory + "/FACTS"
        guard let content = try SealedFile.load(path, magic: magic, version: version, kind: "a file of facts") else {
            return nil
        }
        let result: Result<FactsFile, WireError> = content.withUnsafeBytes { bytes in
            do throws(WireError) {
                var reader = ByteReader(bytes)
                return .success(try FactsFile(from: &reader))
            } catch { return .failure(error) }
        }
        switch result {
        case .success(let file): return file
        case .failure(let error): throw .corrupt("\(path): \(error)")
        }
    }

    /// Puts it in the place of the former one; durable when this returns.
    func store(in directory: String) throws(DiskError) {
        var writer = ByteWriter()
        writer.integer(use)
        writer.list(facts.sorted { $0.key.rawValue < $1.key.rawValue }) { writer, fact in
            writer.integer(fact.key.rawValue)
            writer.blob(fact.value)
        }
        try SealedFile.store(
            writer.bytes, at: directory + "/FACTS", in: directory, magic: Self.magic, version: Self.version)
    }

    // "STORMOFA" in the order of the bytes.
    private static let magic: UInt64 = 0x4146_4F4D_524F_5453
    private static let version: UInt64 = 1
}

extension FactsFile {
    private init(from reader: inout ByteReader) throws(WireError) {
        use = try reader.integer("use")
        facts = [:]
        let found = try reader.list("facts", max: 256, minBytes: 2) {
            (reader: inout ByteReader) throws(WireError) -> (UInt8, [UInt8]) in
            let number: UInt8 = try reader.integer("fact")
            return (number, try reader.blob("fact", max: .max))
        }
        for (number, value) in found {
            // Written by a version that knows more: to go on without it would forget it.
            guard let fact = NodeFact(rawValue: number) else {
                throw .invalid(
                    field: "fact", found: "\(number)", expected: "a fact that this version of stormo knows")
            }
            facts[fact] = value
        }
        try reader.end(of: "facts")
    }
}
