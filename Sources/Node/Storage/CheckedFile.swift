import CSQLite
import Synchronization
import Wire

/// The checksums of a database file's pages: the last bytes of each page hold a hash of the others and of the page's
/// number. They are set when a page is written to the file and verified when it is read from it, so that SQLite never
/// sees a damaged page, which it might take for one in which a row is missing.
///
/// Frames of the write-ahead log are not of this kind: SQLite has its own checksums there.
final class PageChecks: Sendable {
    /// Bytes of a page.
    static let pageBytes = 4_096
    /// Bytes at a page's end that SQLite leaves to the hash.
    static let reservedBytes = 8
    /// Where a file's header, in its first page, says how many bytes are reserved.
    static let reservedOffset = 20
    /// Bytes of that header. They are read alone before the size of pages is known, and again with their whole page
    /// before anything they say counts.
    static let headerBytes = 100

    /// The file.
    let path: String
    private let failure = Mutex<String?>(nil)

    /// For the file at a path.
    init(path: String) { self.path = path }

    /// The last page that failed; nil when none did.
    var failed: String? { failure.withLock(\.self) }

    /// Whether a page just read is what was written. `isWhole` says that the file did not end before its end.
    func verify(_ page: UnsafeRawBufferPointer, at offset: Int64, isWhole: Bool) -> Bool {
        guard page.count == Self.pageBytes, offset % Int64(Self.pageBytes) == 0 else {
            note("\(page.count) bytes at \(offset) were asked for, which is no page of \(Self.pageBytes) bytes")
            return false
        }
        let number = Self.number(offset)
        guard isWhole else {
            note("the file ends before page \(number)")
            return false
        }
        guard Self.hash(page, number) == page.word(Self.pageBytes - Self.reservedBytes) else {
            note("page \(number) fails its checksum")
            return false
        }
        return true
    }

    /// Sets the hash of a page that is about to be written.
    static func seal(_ page: UnsafeMutableRawBufferPointer, at offset: Int64) {
        let digest = hash(UnsafeRawBufferPointer(page), number(offset))
        page.storeBytes(of: digest.littleEndian, toByteOffset: pageBytes - reservedBytes, as: UInt64.self)
    }

    private func note(_ what: String) { failure.withLock { $0 = what } }

    private static func number(_ offset: Int64) -> Int64 { offset / Int64(pageBytes) + 1 }

    private static func hash(_ page: UnsafeRawBufferPointer, _ number: Int64) -> UInt64 {
        XXH64.hash(UnsafeRawBufferPointer(rebasing: page.dropLast(reservedBytes)), seed: UInt64(bitPattern: number))
    }
}

/// A layer between SQLite and the system's files that checks the pages of databases. It is registered with SQLite under
/// a name and takes all but the reading and writing of database files from SQLite's own layer.
enum CheckedFile {
    /// The layer's name, for opening.
    static let layer = "stormo-checked"

    /// SQLite's code for a page that this layer found damaged (`SQLITE_IOERR_DATA`, which is a macro of sums).
    static let damaged = SQLITE_IOERR | 32 << 8

    /// Makes the layer known to SQLite, once; returns SQLite's code.
    static func register() -> Int32 { registered }

    /// The checks of a connection's database file; nil when it was opened without this layer.
    static func checks(of connection: OpaquePointer) -> PageChecks? {
        var found: UnsafeMutablePointer<sqlite3_file>?
        let code = sqlite3_file_control(connection, "main", SQLITE_FCNTL_FILE_POINTER, &found)
        guard code == SQLITE_OK, let found, found.pointee.pMethods == UnsafePointer(methods) else { return nil }
        return head(found).pointee.checks?.takeUnretainedValue()
    }

    // What SQLite knows as the file begins with this; SQLite's own file follows it.
    private struct Head {
        var methods: UnsafePointer<sqlite3_io_methods>?
        var checks: Unmanaged<PageChecks>?
    }

    private typealias File = UnsafeMutablePointer<sqlite3_file>

    private static func head(_ file: File) -> UnsafeMutablePointer<Head> {
        UnsafeMutableRawPointer(file).assumingMemoryBound(to: Head.self)
    }

    private static func inner(_ file: File) -> File {
        (UnsafeMutableRawPointer(file) + MemoryLayout<Head>.stride).assumingMemoryBound(to: sqlite3_file.self)
    }

    // SQLite's own layer, and its file below ours with what can be done with that.
    private static func below(_ file: File?) -> (file: File, methods: sqlite3_io_methods)? {
        guard let file, let methods = inner(file).pointee.pMethods else { return nil }
        return (inner(file), methods.pointee)
    }

    // Unsafe, but written once before anything reads it: SQLite wants addresses that stay.
    nonisolated(unsafe) private static let own: UnsafeMutablePointer<sqlite3_vfs>? = {
        guard let system = sqlite3_vfs_find(nil) else { return nil }
        let own = UnsafeMutablePointer<sqlite3_vfs>.allocate(capacity: 1)
        own.initialize(to: system.pointee)
        own.pointee.zName = UnsafePointer(name)
        own.pointee.szOsFile += Int32(MemoryLayout<Head>.stride)
        own.pointee.pNext = nil
        own.pointee.xOpen = { _, name, file, flags, outFlags in open(name, file, flags, outFlags) }
        return own
    }()

    private static let registered: Int32 = {
        guard let own else { return SQLITE_ERROR }
        return sqlite3_vfs_register(own, 0)
    }()

    nonisolated(unsafe) private static let name: UnsafeMutablePointer<CChar> = {
        let bytes = Array(layer.utf8CString)
        let name = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
        name.initialize(from: bytes, count: bytes.count)
        return name
    }()

    private static func open(
        _ name: UnsafePointer<CChar>?, _ file: File?, _ flags: Int32, _ outFlags: UnsafeMutablePointer<Int32>?
    ) -> Int32 {
        guard let file, let system = sqlite3_vfs_find(nil), let open = system.pointee.xOpen else { return SQLITE_ERROR }
        guard flags & SQLITE_OPEN_MAIN_DB != 0, let name else { return open(system, name, file, flags, outFlags) }
        head(file).initialize(to: Head(methods: nil, checks: nil))
        let code = open(system, name, inner(file), flags, outFlags)
        guard code == SQLITE_OK else { return code }
        head(file).pointee = Head(
            methods: UnsafePointer(methods), checks: .passRetained(PageChecks(path: String(cString: name))))
        return SQLITE_OK
    }

    private static func close(_ file: File?) -> Int32 {
        guard let file, let below = below(file) else { return SQLITE_IOERR }
        let code = below.methods.xClose?(below.file) ?? SQLITE_IOERR
        head(file).pointee.checks?.release()
        head(file).pointee.checks = nil
        return code
    }

    private static func read(
        _ file: File?, _ buffer: UnsafeMutableRawPointer?, _ count: Int32, _ offset: Int64
    ) -> Int32 {
        guard let file, let buffer, let below = below(file), let checks = head(file).pointee.checks else {
            return SQLITE_IOERR
        }
        let code = below.methods.xRead?(below.file, buffer, count, offset) ?? SQLITE_IOERR
        guard code == SQLITE_OK || code == shortRead else { return code }
        if offset + Int64(count) <= Int64(PageChecks.headerBytes) { return code }
        let page = UnsafeRawBufferPointer(start: buffer, count: Int(count))
        let isIntact = checks._withUnsafeGuaranteedRef { $0.verify(page, at: offset, isWhole: code == SQLITE_OK) }
        return isIntact ? SQLITE_OK : damaged
    }

    private static func write(
        _ file: File?, _ buffer: UnsafeRawPointer?, _ count: Int32, _ offset: Int64
    ) -> Int32 {
        guard let buffer, let below = below(file), let write = below.methods.xWrite,
            count == PageChecks.pageBytes, offset % Int64(PageChecks.pageBytes) == 0,
            // A file without room for the hashes would lose what stands there.
            offset > 0
                || buffer.load(fromByteOffset: PageChecks.reservedOffset, as: UInt8.self)
                    == UInt8(PageChecks.reservedBytes)
        else { return SQLITE_IOERR }
        return withUnsafeTemporaryAllocation(byteCount: PageChecks.pageBytes, alignment: 8) { page in
            page.copyMemory(from: UnsafeRawBufferPointer(start: buffer, count: PageChecks.pageBytes))
            PageChecks.seal(page, at: offset)
            return write(below.file, page.baseAddress, count, offset)
        }
    }

    // SQLITE_IOERR_SHORT_READ, a macro of sums.
    private static let shortRead = SQLITE_IOERR | 2 << 8

    // Of version 2: without mapping files into memory, which would go around the checks.
    nonisolated(unsafe) private static let methods: UnsafeMutablePointer<sqlite3_io_methods> = {
        let methods = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
        var all = sqlite3_io_methods()
        all.iVersion = 2
        all.xClose = { close($0) }
        all.xRead = { read($0, $1, $2, $3) }
        all.xWrite = { write($0, $1, $2, $3) }
        all.xTruncate = { file, size in
            guard let below = below(file) else { return SQLITE_IOERR }
            return below.methods.xTruncate?(below.file, size) ?? SQLITE_IOERR
        }
        all.xSync = { file, flags in
            guard let below = below(file) else { return SQLITE_IOERR }
            return below.methods.xSync?(below.file, flags) ?? SQLITE_IOERR
        }
        all.xFileSize = { file, size in
            guard let below = below(file) else { return SQLITE_IOERR }
            return below.methods.xFileSize?(below.file, size) ?? SQLITE_IOERR
        }
        all.xLock = { file, lock in
            guard let below = below(file) else { return SQLITE_IOERR }
            return below.methods.xLock?(below.file, lock) ?? SQLITE_IOERR
        }
        all.xUnlock = { file, lock in
            guard let below = below(file) else { return SQLITE_IOERR }
            return below.methods.xUnlock?(below.file, lock) ?? SQLITE_IOERR
        }
        all.xCheckReservedLock = { file, result in
            guard let below = below(file) else { return SQLITE_IOERR }
            return below.methods.xCheckReservedLock?(below.file, result) ?? SQLITE_IOERR
        }
        all.xFileControl = { file, operation, argument in
            guard let below = below(file) else { return SQLITE_IOERR }
            return below.methods.xFileControl?(below.file, operation, argument) ?? SQLITE_NOTFOUND
        }
        all.xSectorSize = { file in
            guard let below = below(file) else { return 0 }
            return below.methods.xSectorSize?(below.file) ?? 0
        }
        all.xDeviceCharacteristics = { file in
            guard let below = below(file) else { return 0 }
            return below.methods.xDeviceCharacteristics?(below.file) ?? 0
        }
        all.xShmMap = { file, region, size, extend, address in
            guard let below = below(file) else { return SQLITE_IOERR }
            return below.methods.xShmMap?(below.file, region, size, extend, address) ?? SQLITE_IOERR
        }
        all.xShmLock = { file, offset, count, flags in
            guard let below = below(file) else { return SQLITE_IOERR }
            return below.methods.xShmLock?(below.file, offset, count, flags) ?? SQLITE_IOERR
        }
        all.xShmBarrier = { file in
            guard let below = below(file) else { return }
            below.methods.xShmBarrier?(below.file)
        }
        all.xShmUnmap = { file, remove in
            guard let below = below(file) else { return SQLITE_IOERR }
            return below.methods.xShmUnmap?(below.file, remove) ?? SQLITE_IOERR
        }
        methods.initialize(to: all)
        return methods
    }()
}
