import Glibc

/// A failed call of the file system.
package struct DiskError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was tried, such as `write`.
    package let operation: String
    /// On which file.
    package let path: String
    /// The system's error number; 0 for a file that is shorter than it must be.
    package let code: Int32

    /// Names a failure.
    package init(operation: String, path: String, code: Int32) {
        self.operation = operation
        self.path = path
        self.code = code
    }

    /// Whether there was no room, which passes once room is made.
    package var isFull: Bool { code == ENOSPC || code == EDQUOT }

    /// One line for people.
    package var description: String {
        "\(operation) of \(path) failed: \(code == 0 ? "the file ends too early" : String(cString: strerror(code)))"
    }
}
