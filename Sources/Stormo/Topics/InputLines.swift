import Dispatch

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// The lines of standard input, as they come in.
struct InputLines {
    /// What is read at once, in bytes.
    private static let chunkBytes = 65_536

    private let lineBytesMax: Int
    private var rest: [UInt8] = []
    private var hasEnded = false

    /// Lines of at most so many bytes.
    init(lineBytesMax: Int) { self.lineBytesMax = lineBytesMax }

    /// The lines that have come in, waiting for at least one; nil at the end. Throws for a line that is too long.
    mutating func next() async throws -> [[UInt8]]? {
        while !hasEnded {
            // On a thread of its own: those of tasks are too few to let one wait for a person.
            let read = await withCheckedContinuation { continuation in
                DispatchQueue.global().async { continuation.resume(returning: Self.read()) }
            }
            guard let read, !read.isEmpty else {
                hasEnded = true
                break
            }
            var parts = (rest + read).split(separator: 0x0A, omittingEmptySubsequences: false).map(Array.init)
            rest = parts.removeLast()
            guard rest.count <= lineBytesMax else {
                throw FileError(path: "standard input", reason: "a line is longer than \(lineBytesMax) bytes")
            }
            if !parts.isEmpty { return parts }
        }
        guard !rest.isEmpty else { return nil }
        defer { rest = [] }
        return [rest]
    }

    /// Some bytes; none at the end, nil when it cannot be read.
    private static func read() -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: chunkBytes)
        while true {
            let count = systemRead(&buffer)
            if count < 0, errno == EINTR { continue }
            return count < 0 ? nil : Array(buffer.prefix(count))
        }
    }

    private static func systemRead(_ buffer: inout [UInt8]) -> Int {
        #if canImport(Glibc)
            Glibc.read(STDIN_FILENO, &buffer, buffer.count)
        #else
            Musl.read(STDIN_FILENO, &buffer, buffer.count)
        #endif
    }
}
