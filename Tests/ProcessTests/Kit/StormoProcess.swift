import Glibc
import Synchronization

@testable import Stormo

/// A running `stormo` command. Its standard input is a pipe from this process, which it follows into the grave: nothing
/// is left over, however the tests end.
final class StormoProcess: Sendable {
    /// What it is called in messages.
    let name: String
    /// The file of its output, standard error included.
    let logPath: String
    /// Its process id, and that of its group.
    let pid: pid_t
    private let ended: Ended

    private final class Ended: Sendable {
        let exit = Mutex<ChildExit?>(nil)
    }

    private static let lifeline = Result { () throws(FileError) in try LifelinePipe() }

    /// The program under test: `STORMO_BINARY`, or the one built beside the tests.
    static let binary: String = {
        if let given = getenv("STORMO_BINARY") { return String(cString: given) }
        let own = ChildProcess.ownExecutable()
        return own.prefix(upTo: own.lastIndex(of: "/") ?? own.startIndex) + "/stormo"
    }()

    /// Starts `stormo` with arguments. `environment` comes on top of a bare one. `launcher` is a command that becomes
    /// the program that its last arguments name, such as `prlimit`; empty to start the program itself.
    convenience init(
        _ name: String, _ arguments: [String], environment: [String: String] = [:], log: String,
        launcher: [String] = []
    ) throws {
        try self.init(
            name, command: launcher + [Self.binary] + arguments,
            environment: environment.merging([InternalVariables.lifeline: "stdin"]) { $1 }, log: log)
    }

    /// Starts any program by its path and arguments.
    init(_ name: String, command: [String], environment: [String: String] = [:], log: String) throws {
        self.name = name
        logPath = log
        let variables = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/tmp"].merging(environment) { $1 }
        let ended = Ended()
        self.ended = ended
        pid = try ChildProcess.spawn(
            ChildCommand(
                executable: command[0], arguments: Array(command.dropFirst()), environment: variables, logPath: log),
            lifeline: try Self.lifeline.get()
        ) { exit in ended.exit.withLock { $0 = exit } }
    }

    deinit { signal(SIGKILL) }

    /// How it ended; nil while it runs.
    var exit: ChildExit? { ended.exit.withLock { $0 } }

    /// For messages.
    var state: String { exit.map { "\($0)" } ?? "running, pid \(pid)" }

    /// Sends a signal to the process and its group; nothing when it has ended.
    func signal(_ number: Int32) {
        ended.exit.withLock { exit in
            if exit == nil { _ = kill(-pid, number) }
        }
    }

    /// Waits for its end.
    func waitForExit(within seconds: Double = 20) async throws -> ChildExit {
        try await eventually("\(name) ends", within: seconds, [self]) { exit != nil }
        return exit ?? .code(-1)
    }

    /// Kills it and waits until it is gone.
    func killNow() async throws {
        signal(SIGKILL)
        _ = try await waitForExit()
    }

    /// Whether any process of an id runs; one that has ended and waits for its parent to notice does not.
    static func isRunning(_ pid: pid_t) -> Bool {
        guard let stat = try? Files.read("/proc/\(pid)/stat", bytesMax: 4_096),
            let mark = stat.lastIndex(of: UInt8(ascii: ")")),
            mark + 2 < stat.count
        else { return false }
        return ![UInt8(ascii: "Z"), UInt8(ascii: "X")].contains(stat[mark + 2])
    }

    /// How much memory it has at present, in bytes; 0 when it has ended.
    var residentBytes: Int { ProcessTimes.of(pid).map { Int($0.residentBytes) } ?? 0 }

    /// How much memory it has had at most (`VmHWM` of proc(5)), in bytes; 0 when it has ended.
    var residentBytesMost: Int {
        let status = String(decoding: (try? Files.read("/proc/\(pid)/status", bytesMax: 16_384)) ?? [], as: UTF8.self)
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return (line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0) << 10
    }

    /// What it has written so far.
    var log: String { (try? Files.read(logPath, bytesMax: 64 << 20)).map { String(decoding: $0, as: UTF8.self) } ?? "" }

    /// The last lines that it wrote.
    func logTail(_ lines: Int = 25) -> String {
        log.split(separator: "\n").suffix(lines).joined(separator: "\n")
    }
}

/// Runs `stormo` to its end.
func runStormo(
    _ arguments: [String], environment: [String: String] = [:], in directory: TestDirectory, within seconds: Double = 30
) async throws -> (code: Int32, output: String) {
    try await outcome(
        of: StormoProcess(
            arguments.joined(separator: " "), arguments, environment: environment,
            log: directory.newPath("command.log")), within: seconds)
}

/// Runs a program of the system, by its path, to its end; throws when it fails.
@discardableResult
func runCommand(_ command: [String], in directory: TestDirectory, within seconds: Double = 30) async throws -> String {
    let name = command.joined(separator: " ")
    let (code, output) = try await outcome(
        of: StormoProcess(name, command: command, log: directory.newPath("command.log")), within: seconds)
    guard code == 0 else { throw WaitedInVain(description: "\(name) ended with code \(code): \(output)") }
    return output
}

private func outcome(of process: StormoProcess, within seconds: Double) async throws -> (code: Int32, output: String) {
    switch try await process.waitForExit(within: seconds) {
    case .code(let code): return (code, process.log)
    case .signal(let number):
        throw WaitedInVain(description: "\(process.name) died of signal \(number)\n\(process.logTail())")
    }
}
