import Glibc
import Wire

/// The files that make up a database.
enum DatabaseFiles {
    /// What their names have behind the path: the database itself first.
    static let suffixes = ["", "-wal", "-shm", "-journal"]

    /// Looks at a database's header before it is opened: another program's is told apart from a damaged one. `isInUse` says
    /// that there must be one. Throws `corrupt`.
    static func check(_ path: String, isInUse: Bool) throws(StorageOpenError) {
        let header: [UInt8]
        do throws(DiskError) {
            let file = try PosixFile(path, O_RDONLY)
            defer { file.close() }
            header = try file.read(at: 0, count: PageChecks.headerBytes)
        } catch {
            guard error.code == ENOENT else { throw .disk(error) }
            header = []
        }
        guard !header.isEmpty else {
            guard !isInUse else { throw .corrupt("\(path) is missing or empty, although it was in use") }
            return
        }
        guard header.count == PageChecks.headerBytes, header.starts(with: Array("SQLite format 3\0".utf8)),
            header[PageChecks.reservedOffset] == UInt8(PageChecks.reservedBytes)
        else { throw .corrupt("\(path) is not a database of stormo") }
    }
}
