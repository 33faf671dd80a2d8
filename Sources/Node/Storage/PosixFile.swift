import Glibc

/// An open file. Calls are retried when a signal interrupts them and go on after short counts.
struct PosixFile: Sendable {
    /// Where it is, for messages.
    let path: String
    /// The descriptor.
    let descriptor: Int32

    /// Opens a file; `flags` as of open(2), close-on-exec is added.
    init(_ path: String, _ flags: Int32) throws(DiskError) {
        let descriptor = path.withCString { name in Self.retried { open(name, flags | O_CLOEXEC, 0o644) } }
        guard descriptor >= 0 else { throw DiskError(operation: "open", path: path, code: errno) }
        self.path = path
        self.descriptor = descriptor
    }

    /// Gives the descriptor back; the value must not be used any more.
    func close() { _ = Glibc.close(descriptor) }

    /// The size in bytes.
    func count() throws(DiskError) -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure("stat") }
        return Int(status.st_size)
    }

    /// Writes all of `bytes` at `offset`.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(DiskError) {
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count = Self.retried { pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset + done)) }
            guard count > 0 else {
                throw count == 0 ? DiskError(operation: "write", path: path, code: ENOSPC) : failure("write")
            }
            done += count
        }
    }

    /// Writes all of `bytes` at `offset`.
    func write(_ bytes: [UInt8], at offset: Int) throws(DiskError) {
        try bytes.span.bytes.withUnsafeBytes { (buffer) throws(DiskError) in try write(buffer, at: offset) }
    }

    /// Up to `count` bytes from `offset`; fewer only at the end of the file.
    func read(at offset: Int, count: Int) throws(DiskError) -> [UInt8] {
        var failed = false
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let rest = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[filled...])
                let got = Self.retried { pread(descriptor, rest.baseAddress, rest.count, off_t(offset + filled)) }
                if got < 0 { failed = true }
                guard got > 0 else { return }
                filled += got
            }
        }
        guard !failed else { throw failure("read") }
        return bytes
    }

    /// Makes the content durable. After a failure the pages that were to be written may be gone from memory: only
    /// writing them again helps, a second sync that succeeds says nothing.
    func sync() throws(DiskError) {
        guard Self.retried({ Int(fdatasync(descriptor)) }) == 0 else { throw failure("sync") }
    }

    private func failure(_ operation: String) -> DiskError { DiskError(operation: operation, path: path, code: errno) }

    private static func retried<T: SignedInteger>(_ call: () -> T) -> T {
        while true {
            let result = call()
            if result < 0 && errno == EINTR { continue }
            return result
        }
    }
}

/// Calls on names instead of open files.
enum PosixDirectory {
    /// Creates a directory and those above it, unless they are there.
    static func create(_ path: String) throws(DiskError) {
        if mkdir(path, 0o755) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
            throw DiskError(operation: "creation", path: path, code: errno)
        }
        try create(String(path[..<slash]))
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else {
            throw DiskError(operation: "creation", path: path, code: errno)
        }
    }

    /// Makes the names in a directory durable.
    static func sync(_ path: String) throws(DiskError) {
        let file = try PosixFile(path, O_RDONLY | O_DIRECTORY)
        defer { file.close() }
        guard fsync(file.descriptor) == 0 else { throw DiskError(operation: "sync", path: path, code: errno) }
    }

    /// The names in a directory in their order, without `.` and `..`; none when the directory is not there.
    static func names(_ path: String) throws(DiskError) -> [String] {
        guard let directory = opendir(path) else {
            if errno == ENOENT { return [] }
            throw DiskError(operation: "listing", path: path, code: errno)
        }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Gives a file another name, in the place of what had it.
    static func rename(_ from: String, to: String) throws(DiskError) {
        guard Glibc.rename(from, to) == 0 else { throw DiskError(operation: "renaming", path: from, code: errno) }
    }

    /// Removes a file; one that is not there is no error.
    static func removeFile(_ path: String) throws(DiskError) {
        guard unlink(path) == 0 || errno == ENOENT else {
            throw DiskError(operation: "removal", path: path, code: errno)
        }
    }

    /// Removes a file or a directory with all that is in it; one that is not there is no error.
    static func removeTree(_ path: String) throws(DiskError) {
        var status = stat()
        if lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
            for name in try names(path) { try removeTree(path + "/" + name) }
            return try removeIfEmpty(path)
        }
        try removeFile(path)
    }

    /// Removes an empty directory; one that is not there or not empty is no error.
    static func removeIfEmpty(_ path: String) throws(DiskError) {
        guard rmdir(path) == 0 || errno == ENOENT || errno == ENOTEMPTY || errno == EEXIST else {
            throw DiskError(operation: "removal", path: path, code: errno)
        }
    }

    /// Whether something has this name.
    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Puts `bytes` in the place of the file at `path`, so that after a crash it holds either the old or the new.
    static func replace(_ path: String, in directory: String, with bytes: [UInt8]) throws(DiskError) {
        let temporary = path + ".new"
        let file = try PosixFile(temporary, O_WRONLY | O_CREAT | O_TRUNC)
        defer { file.close() }
        try file.write(bytes, at: 0)
        try file.sync()
        try rename(temporary, to: path)
        try sync(directory)
    }
}
