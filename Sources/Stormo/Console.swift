#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// Text for people and programs: results go to standard output, all else to standard error.
enum Console {
    /// Writes a line to standard output.
    static func line(_ text: String) { write(Array((text + "\n").utf8), to: STDOUT_FILENO) }

    /// Writes bytes to standard output as they are; false when nobody reads them any more.
    @discardableResult
    static func bytes(_ bytes: [UInt8]) -> Bool { write(bytes, to: STDOUT_FILENO) }

    /// Writes a line to standard error.
    static func error(_ text: String) { errorBytes(Array((text + "\n").utf8)) }

    /// Writes bytes to standard error as they are.
    static func errorBytes(_ bytes: [UInt8]) { write(bytes, to: STDERR_FILENO) }

    /// Whether a person sits in front of standard output.
    static var outputIsTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    /// Whether a person sits in front of standard error.
    static var errorIsTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// Whether a person sits in front of standard input.
    static var inputIsTerminal: Bool { isatty(STDIN_FILENO) == 1 }

    /// All of standard input, at most `bytesMax`.
    static func input(bytesMax: Int) throws(FileError) -> [UInt8] { try Files.read("/dev/stdin", bytesMax: bytesMax) }

    @discardableResult
    static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { systemWrite(descriptor, $0, from: written) }
            if count < 0 {
                if errno == EINTR { continue }
                return false
            }
            written += count
        }
        return true
    }

    private static func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
        #if canImport(Glibc)
            return Glibc.write(descriptor, rest.baseAddress, rest.count)
        #else
            return Musl.write(descriptor, rest.baseAddress, rest.count)
        #endif
    }
}

/// A line that is written over again and again on a terminal, and kept out of everything else.
struct LiveLine: Sendable {
    private let descriptor: Int32
    /// Whether there is a terminal to write over.
    let isLive: Bool
    private var shown = false

    /// A line on standard output or standard error.
    init(onError: Bool) {
        descriptor = onError ? STDERR_FILENO : STDOUT_FILENO
        isLive = onError ? Console.errorIsTerminal : Console.outputIsTerminal
    }

    /// Shows a text in place of the last one.
    mutating func show(_ text: String) {
        guard isLive else { return }
        // Return to the line's start and erase it.
        Console.write(Array("\r\u{1B}[2K\(text)".utf8), to: descriptor)
        shown = true
    }

    /// Takes the line away, so that other lines can be written.
    mutating func clear() {
        guard shown else { return }
        Console.write(Array("\r\u{1B}[2K".utf8), to: descriptor)
        shown = false
    }
}
