import Glibc

@testable import Stormo

/// Kernel namespaces that several processes share: a network, or mounts, of their own. A child that only waits holds
/// them; it ends with this process, and nothing is left of them.
final class Namespaces: Sendable {
    /// What is a namespace's own.
    enum Kind: String, Sendable, CaseIterable {
        /// Interfaces, addresses and routes.
        case network = "net"
        /// The tree of mounted file systems.
        case mounts = "mount"
    }

    private let holder: StormoProcess
    private let kinds: [Kind]
    private let directory: TestDirectory

    private static let unshare = "/usr/bin/unshare"
    private static let nsenter = "/usr/bin/nsenter"

    /// Why this machine gives none; nil when it does.
    static let obstacle: String? = {
        guard geteuid() == 0 else { return "namespaces need root" }
        for tool in [unshare, nsenter] where access(tool, X_OK) != 0 { return "\(tool) (util-linux) is missing" }
        let directory: TestDirectory
        do { directory = try TestDirectory() } catch { return "\(error)" }
        // Being root is not enough in some containers: only trying tells.
        let log = directory.newPath("unshare.log")
        guard
            let trial = try? StormoProcess("unshare", command: [unshare, "--net", "--mount", "/bin/true"], log: log)
        else { return "\(unshare) cannot be started" }
        while trial.exit == nil { usleep(1_000) }
        return trial.exit == .code(0) ? nil : "namespaces cannot be made here: \(trial.log)"
    }()

    /// Makes namespaces of the kinds named.
    init(_ kinds: [Kind], in directory: TestDirectory) async throws {
        self.kinds = kinds
        self.directory = directory
        // `cat` waits for the end of its input, which comes with the end of this process.
        let holder = try StormoProcess(
            "namespaces", command: [Self.unshare] + kinds.map { "--\($0.rawValue)" } + ["/bin/cat"],
            log: directory.newPath("namespaces.log"))
        self.holder = holder
        try await eventually("the namespaces are there", [holder]) {
            guard holder.exit == nil else { throw WaitedInVain(description: holder.logTail()) }
            return try Files.read("/proc/\(holder.pid)/comm", bytesMax: 64) == Array("cat\n".utf8)
        }
    }

    /// The child whose namespaces they are.
    var pid: pid_t { holder.pid }

    /// A command that runs the program named behind it inside.
    var launcher: [String] {
        [Self.nsenter, "--target", "\(pid)"] + kinds.map { "--\($0.rawValue)" } + ["--"]
    }

    /// Runs a program inside to its end; throws when it fails.
    @discardableResult
    func run(_ command: [String]) async throws -> String { try await runCommand(launcher + command, in: directory) }

    /// Where this process finds a path of theirs.
    func outside(_ path: String) -> String { "/proc/\(pid)/root\(path)" }
}
