import Glibc
import Wire

/// Databases from before version 3, whose pages carry no checksums.
enum UncheckedDatabase {
    /// The last version of this kind.
    static let versionMax = 2

    /// What stands at the path of a database.
    enum Found {
        /// No file, or an empty one.
        case nothing
        /// A database without checksums.
        case unchecked
        /// What should be one with checksums.
        case checked
    }

    /// Looks at a file's header. Throws `corrupt` for a file that is no database.
    static func look(at path: String) throws(StorageOpenError) -> Found {
        let header: [UInt8]
        do throws(DiskError) {
            let file = try PosixFile(path, O_RDONLY)
            defer { file.close() }
            header = try file.read(at: 0, count: PageChecks.headerBytes)
        } catch {
            if error.code == ENOENT { return .nothing }
            throw .disk(error)
        }
        if header.isEmpty { return .nothing }
        guard header.count == PageChecks.headerBytes, header.starts(with: Array("SQLite format 3\0".utf8)) else {
            throw .corrupt("\(path) is not a database of stormo")
        }
        // Big-endian; what is in the write-ahead log alone may be newer, but not of a newer kind.
        let version = header[versionOffset..<versionOffset + 4].reduce(0) { $0 << 8 | Int($1) }
        return header[PageChecks.reservedOffset] == 0 && version <= versionMax ? .unchecked : .checked
    }

    /// Puts a copy whose pages have checksums in the place of a database without. After a crash it is the one or the
    /// other.
    static func rewrite(_ path: String, in directory: String, cacheBytes: Int) throws(StorageOpenError) {
        let copy = path + ".new"
        do throws(SQLiteError) {
            try remove(copy)
            let old = try SQLiteDatabase(path: path, cacheBytes: cacheBytes, isChecked: false)
            defer { old.close() }
            guard try StorageSchema.completeUnchecked(old) else {
                old.close()
                return try remove(path)
            }
            try old.execute("VACUUM INTO 'file:\(escaped(copy))?vfs=\(CheckedFile.layer)'")
            old.close()
            let new = try SQLiteDatabase(path: copy, cacheBytes: cacheBytes)
            defer { new.close() }
            try new.execute("PRAGMA user_version = \(StorageSchema.version)")
        } catch { throw error.openError }
        do throws(DiskError) {
            let file = try PosixFile(copy, O_RDWR)
            defer { file.close() }
            try file.sync()
            try PosixDirectory.rename(copy, to: path)
            try PosixDirectory.sync(directory)
        } catch { throw .disk(error) }
    }

    private static func remove(_ path: String) throws(SQLiteError) {
        for suffix in DatabaseFiles.suffixes {
            do throws(DiskError) { try PosixDirectory.removeFile(path + suffix) } catch {
                throw SQLiteError(code: 10, message: "\(error)", path: path)
            }
        }
    }

    // As a URI within quotes: only letters, digits and what stands in common names is left as it is.
    private static func escaped(_ path: String) -> String {
        let hex = Array("0123456789ABCDEF")
        var text = ""
        for byte in path.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "-"),
                UInt8(ascii: "_"):
                text.unicodeScalars.append(Unicode.Scalar(byte))
            default: text += "%\(hex[Int(byte >> 4)])\(hex[Int(byte & 15)])"
            }
        }
        return text
    }

    private static let versionOffset = 60
}

/// The files that make up a database.
enum DatabaseFiles {
    /// What their names have behind the path: the database itself first.
    static let suffixes = ["", "-wal", "-shm", "-journal"]
}
