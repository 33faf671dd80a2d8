import Glibc
import Synchronization

/// The journal's slots as files `0000.journal`, `0001.journal`, … of a directory.
package final class PosixJournalDisk: JournalDisk {
    private let directory: String
    private let files = Mutex<[Int: PosixFile]>([:])

    // Written and synced piece by piece: the journal syncs on the same device meanwhile, and waits for one piece only.
    private static let pieceBytes = 1 << 20
    private static let suffix = ".journal"

    /// Uses `directory`, creating it when it is not there.
    package init(directory: String) throws(DiskError) {
        self.directory = directory
        try PosixDirectory.create(directory)
    }

    deinit {
        files.withLock { files in
            for file in files.values { file.close() }
        }
    }

    /// See `JournalDisk`. Files of other names are passed over.
    package func slots() throws(DiskError) -> [JournalSlot] {
        var found: [JournalSlot] = []
        for name in try PosixDirectory.names(directory) where name.hasSuffix(Self.suffix) {
            guard let number = Int(name.dropLast(Self.suffix.count)) else { continue }
            found.append(JournalSlot(number: number, bytes: try file(number).count()))
        }
        return found
    }

    /// See `JournalDisk`. Written under another name first.
    package func prepare(_ slot: Int, bytes: Int) throws(DiskError) {
        let path = name(slot)
        let temporary = path + ".new"
        let file = try PosixFile(temporary, O_WRONLY | O_CREAT | O_TRUNC)
        defer { file.close() }
        let zeros = [UInt8](repeating: 0, count: min(bytes, Self.pieceBytes))
        for offset in stride(from: 0, to: bytes, by: zeros.count) {
            try zeros.span.bytes.withUnsafeBytes { (all) throws(DiskError) in
                try file.write(UnsafeRawBufferPointer(rebasing: all.prefix(bytes - offset)), at: offset)
            }
            try file.sync()
        }
        try PosixDirectory.rename(temporary, to: path)
        try PosixDirectory.sync(directory)
    }

    /// See `JournalDisk`.
    package func write(_ slot: Int, at offset: Int, _ bytes: UnsafeRawBufferPointer) throws(DiskError) {
        try file(slot).write(bytes, at: offset)
    }

    /// See `JournalDisk`.
    package func sync(_ slot: Int) throws(DiskError) { try file(slot).sync() }

    /// See `JournalDisk`.
    package func read(_ slot: Int, at offset: Int, count: Int) throws(DiskError) -> [UInt8] {
        try file(slot).read(at: offset, count: count)
    }

    /// The path of the slot's file.
    package func name(_ slot: Int) -> String {
        let digits = String(slot)
        return directory + "/" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits + Self.suffix
    }

    private func file(_ slot: Int) throws(DiskError) -> PosixFile {
        try files.withLock { (files) throws(DiskError) in
            if let file = files[slot] { return file }
            let file = try PosixFile(name(slot), O_RDWR)
            files[slot] = file
            return file
        }
    }
}
