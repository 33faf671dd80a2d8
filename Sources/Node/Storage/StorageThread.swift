import Glibc

/// A thread of the storage. It takes no signals: those are for the threads of the process that wait for them.
struct StorageThread: Sendable {
    private let handle: pthread_t

    private final class Start: Sendable {
        let name: String
        let isInBackground: Bool
        let body: @Sendable () -> Void

        init(name: String, isInBackground: Bool, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.isInBackground = isInBackground
            self.body = body
        }
    }

    /// How much a thread in the background gives way to the others of its process (`nice(2)`; Linux has it by thread).
    private static let backgroundNice: Int32 = 10

    /// Starts a thread; `name` has at most 15 bytes and is what debuggers and `top -H` show. One in the background gets what
    /// processor time the others leave, first of all those that clients wait for.
    init(
        name: String, isInBackground: Bool = false, _ body: @escaping @Sendable () -> Void
    ) throws(StorageOpenError) {
        var all = sigset_t()
        var former = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &former)
        defer { pthread_sigmask(SIG_SETMASK, &former, nil) }
        let start = Unmanaged.passRetained(Start(name: name, isInBackground: isInBackground, body: body))
        var handle = pthread_t()
        let code = pthread_create(
            &handle, nil,
            { argument in
                guard let argument else { return nil }
                let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                StorageThread.label(start.name)
                // Only a help as well: where it is refused the thread goes on as it is.
                if start.isInBackground {
                    setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, StorageThread.backgroundNice)
                }
                start.body()
                return nil
            }, start.toOpaque())
        guard code == 0 else {
            start.release()
            throw .thread(code: code)
        }
        self.handle = handle
    }

    // Only a help for those who look at the process; it may fail.
    private static func label(_ name: String) {
        guard let file = try? PosixFile("/proc/thread-self/comm", O_WRONLY) else { return }
        try? file.write(Array(name.utf8), at: 0)
        file.close()
    }

    /// Waits for the end of the thread; call it once.
    func join() { pthread_join(handle, nil) }
}
