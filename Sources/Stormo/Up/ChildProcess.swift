#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// How a process ended.
enum ChildExit: Hashable, Sendable, CustomStringConvertible {
    /// By itself, with a code.
    case code(Int32)
    /// By a signal.
    case signal(Int32)

    /// Reads what `waitpid` gave.
    init(waitStatus: Int32) {
        let signal = waitStatus & 0x7F
        self = signal == 0 ? .code((waitStatus >> 8) & 0xFF) : .signal(signal)
    }

    var description: String {
        switch self {
        case .code(let code): "exit code \(code)"
        case .signal(let signal): "signal \(signal), \(String(cString: strsignal(signal)))"
        }
    }
}

/// What to run as a child.
struct ChildCommand: Sendable, Hashable {
    /// The program's file.
    var executable: String
    /// Its arguments, without the name of the program.
    var arguments: [String]
    /// Its whole environment.
    var environment: [String: String]
    /// Where its output is appended.
    var logPath: String
}

/// The reading end of a pipe whose other end lives as long as this process: the standard input of all children.
struct LifelinePipe: Sendable {
    /// What children get.
    let readEnd: Int32
    /// Held, never written.
    let writeEnd: Int32

    /// Opens the pipe. Both ends are closed in children, apart from what they are given.
    init() throws(FileError) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw .system("pipe") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        readEnd = ends[0]
        writeEnd = ends[1]
    }
}

/// Starts processes and tells when they end.
enum ChildProcess {
    /// Starts a child in a process group of its own, so that Ctrl-C at the terminal reaches the supervisor alone, which
    /// then stops its children in order. `onExit` is called once, on a thread of its own.
    static func spawn(
        _ command: ChildCommand, lifeline: LifelinePipe, onExit: @escaping @Sendable (ChildExit) -> Void
    ) throws(FileError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_adddup2(&actions, lifeline.readEnd, STDIN_FILENO)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, command.logPath, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
        var defaults = sigset_t()
        var none = sigset_t()
        sigfillset(&defaults)
        sigemptyset(&none)
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

        var pid = pid_t()
        let variables = command.environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        let result = withCStrings(["stormo"] + command.arguments) { arguments in
            withCStrings(variables) { posix_spawn(&pid, command.executable, &actions, &attributes, arguments, $0) }
        }
        guard result == 0 else { throw FileError(path: command.executable, reason: Files.text(ofError: result)) }
        let child = pid
        let isWatched = DetachedThread.start {
            var status: Int32 = 0
            while waitpid(child, &status, 0) < 0 {
                // Another error than an interruption means that there is no such child to wait for.
                guard errno == EINTR else { return onExit(.code(-1)) }
            }
            onExit(ChildExit(waitStatus: status))
        }
        guard isWatched else {
            kill(child, SIGKILL)
            throw FileError(path: command.executable, reason: "no thread left to watch it with")
        }
        return child
    }

    /// The file of the running program. Where it has been replaced meanwhile, the running one itself.
    static func ownExecutable() -> String {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBytes { bytes in
            bytes.withMemoryRebound(to: CChar.self) { text in
                text.baseAddress.map { readlink("/proc/self/exe", $0, text.count) } ?? 0
            }
        }
        guard count > 0 else { return "/proc/self/exe" }
        let path = String(decoding: buffer[..<count], as: UTF8.self)
        return path.hasSuffix(" (deleted)") ? "/proc/self/exe" : path
    }

    private static func withCStrings<Result>(
        _ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let pointers = texts.map { strdup($0) }
        defer { for case let pointer? in pointers { free(pointer) } }
        return body(pointers + [nil])
    }
}
