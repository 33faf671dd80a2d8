import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// Ends a process whose supervisor is gone.
///
/// A supervised child's standard input is a pipe of which only the supervisor holds the other end, so it reaches its end
/// when the supervisor ends, however it ends. (The kernel's parent-death signal is tied to the *thread* that made the
/// child, and threads of a pool come and go; it could also be lost between the child's start and its asking for it.)
enum Lifeline {
    /// How long the process may take to stop once its supervisor is gone, in seconds, before it is ended.
    static let graceSeconds: UInt32 = 15

    /// In a supervised child, starts to watch. A thread of its own, so that it works whatever the rest does.
    static func followIfAsked() {
        guard let asked = getenv(InternalVariables.lifeline), String(cString: asked) == "stdin" else { return }
        DetachedThread.start {
            var byte: UInt8 = 0
            while true {
                let count = read(STDIN_FILENO, &byte, 1)
                if count == 0 || (count < 0 && errno != EINTR) { break }
            }
            kill(getpid(), SIGTERM)
            sleep(graceSeconds)
            _exit(1)
        }
    }
}

/// A thread for a call that blocks.
enum DetachedThread {
    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Starts a thread that runs `body` and ends with it. False when the system has no thread to give.
    @discardableResult
    static func start(_ body: @escaping @Sendable () -> Void) -> Bool {
        let context = Unmanaged.passRetained(Body(body))
        var thread = pthread_t()
        let result = pthread_create(
            &thread, nil,
            { argument in
                if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
                return nil
            }, context.toOpaque())
        guard result == 0 else {
            context.release()
            return false
        }
        pthread_detach(thread)
        return true
    }
}
