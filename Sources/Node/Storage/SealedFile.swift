import Glibc
import Wire

/// A small file that is replaced as a whole: a number that tells its kind, a version, a checksum, the content.
enum SealedFile {
    private static let headerBytes = 24

    /// The content of a file; nil when it is not there. `kind` names it in errors. Throws when it is damaged, another
    /// file or of another version.
    static func load(
        _ path: String, magic: UInt64, version: UInt64, kind: String
    ) throws(StorageOpenError) -> [UInt8]? {
        let bytes: [UInt8]
        do throws(DiskError) {
            let file = try PosixFile(path, O_RDONLY)
            defer { file.close() }
            bytes = try file.read(at: 0, count: try file.count())
        } catch {
            if error.code == ENOENT { return nil }
            throw .disk(error)
        }
        guard bytes.count >= headerBytes else {
            throw .corrupt("\(path) has \(bytes.count) bytes, expected at least \(headerBytes)")
        }
        let words = bytes.withUnsafeBytes { bytes in [bytes.word(0), bytes.word(8), bytes.word(16)] }
        guard words[0] == magic else { throw .corrupt("\(path) is not \(kind) of stormo") }
        guard words[1] == version else { throw .unknownVersion(file: path, found: words[1], known: version) }
        let content = Array(bytes[headerBytes...])
        guard words[2] == XXH64.hash(content) else { throw .corrupt("\(path) fails its checksum") }
        return content
    }

    /// Puts a file with this content in the place of the former one; durable when this returns.
    static func store(
        _ content: [UInt8], at path: String, in directory: String, magic: UInt64, version: UInt64
    ) throws(DiskError) {
        var writer = ByteWriter(capacity: headerBytes + content.count)
        writer.integer(magic)
        writer.integer(version)
        writer.integer(XXH64.hash(content))
        writer.raw(content)
        try PosixDirectory.replace(path, in: directory, with: writer.bytes)
    }
}
