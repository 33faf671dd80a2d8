import FoundationEssentials

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// A file operation that failed.
struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file or directory.
    let path: String
    /// What the system said, and what to do where that is known.
    let reason: String

    var description: String { "\(path): \(reason)" }

    /// The system's last error.
    static func system(_ path: String) -> FileError { FileError(path: path, reason: Files.text(ofError: errno)) }
}

/// Reads and writes small files whole.
enum Files {
    /// The system's text for an error number.
    static func text(ofError number: Int32) -> String { String(cString: strerror(number)) }

    /// All bytes of a file; throws when it is longer than `bytesMax`.
    static func read(_ path: String, bytesMax: Int) throws(FileError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system(path) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = systemRead(descriptor, &buffer)
            if count == 0 { return bytes }
            guard count > 0 else {
                if errno == EINTR { continue }
                throw .system(path)
            }
            bytes += buffer[..<count]
            guard bytes.count <= bytesMax else { throw FileError(path: path, reason: "longer than \(bytesMax) bytes") }
        }
    }

    /// Replaces a file by its new content in one step: a reader sees the old or the new one, never a part.
    static func replace(_ path: String, with bytes: [UInt8], mode: mode_t = 0o644) throws(FileError) {
        let fresh = "\(path).new"
        let descriptor = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw .system(fresh) }
        var isOpen = true
        defer { if isOpen { close(descriptor) } }
        try writeAll(descriptor, bytes, path: fresh)
        guard fsync(descriptor) == 0 else { throw .system(fresh) }
        isOpen = false
        guard close(descriptor) == 0 else { throw .system(fresh) }
        guard systemRename(fresh, path) == 0 else { throw .system(path) }
    }

    /// Makes a file that does not exist yet. False when it does.
    static func create(_ path: String, with bytes: [UInt8], mode: mode_t) throws(FileError) -> Bool {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        if descriptor < 0, errno == EEXIST { return false }
        guard descriptor >= 0 else { throw .system(path) }
        defer { close(descriptor) }
        try writeAll(descriptor, bytes, path: path)
        guard fsync(descriptor) == 0 else { throw .system(path) }
        return true
    }

    /// Makes a directory and those above it, as far as they are missing.
    static func makeDirectory(_ path: String) throws(FileError) {
        var made = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            made += made.isEmpty || made.hasSuffix("/") ? String(part) : "/\(part)"
            if mkdir(made, 0o755) != 0, errno != EEXIST { throw .system(made) }
        }
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system(path) }
        close(descriptor)
    }

    /// Whether there is something at a path.
    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Gives a file another name, replacing what has it. Nothing when there is no such file.
    static func rename(_ path: String, to other: String) { _ = systemRename(path, other) }

    /// Takes a lock on a file, made when it is missing, for as long as this process lives. False when another process
    /// holds it.
    static func lock(_ path: String) throws(FileError) -> Bool {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .system(path) }
        // On success the descriptor stays open on purpose: the lock goes with it.
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return true }
        let problem = FileError.system(path)
        let isHeld = errno == EWOULDBLOCK
        close(descriptor)
        guard isHeld else { throw problem }
        return false
    }

    /// Whether users other than the owner may read the file.
    static func isReadableByOthers(_ path: String) -> Bool {
        let permissions = (try? FileManager.default.attributesOfItem(atPath: path))?[.posixPermissions] as? UInt
        return (permissions ?? 0) & 0o077 != 0
    }

    /// The path from the root, so that it keeps its meaning in a child process.
    static func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/") else { return path }
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        guard getcwd(&buffer, buffer.count) != nil else { return path }
        let directory = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return directory.hasSuffix("/") ? directory + path : "\(directory)/\(path)"
    }

    private static func writeAll(_ descriptor: Int32, _ bytes: [UInt8], path: String) throws(FileError) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                write(descriptor, $0.baseAddress.map { $0 + written }, bytes.count - written)
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw .system(path)
            }
            written += count
        }
    }

    private static func systemRename(_ path: String, _ other: String) -> Int32 {
        #if canImport(Glibc)
            Glibc.rename(path, other)
        #else
            Musl.rename(path, other)
        #endif
    }

    private static func systemRead(_ descriptor: Int32, _ buffer: inout [UInt8]) -> Int {
        buffer.withUnsafeMutableBytes { bytes in
            #if canImport(Glibc)
                Glibc.read(descriptor, bytes.baseAddress, bytes.count)
            #else
                Musl.read(descriptor, bytes.baseAddress, bytes.count)
            #endif
        }
    }
}
