import Glibc

@testable import Stormo

/// A clock that a test sets, for processes that the test starts: a small library, compiled here, stands before the
/// system's in them. (libfaketime cannot: it moves the environment at its start, and Swift finds a program's arguments
/// from there.)
struct FakeClock {
    private let library: String
    private let file: String

    private static let compiler: String? = {
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin"
        let places = ["clang", "cc", "gcc"].flatMap { name in path.split(separator: ":").map { "\($0)/\(name)" } }
        return places.first { (path: String) in access(path, X_OK) == 0 }
    }()

    /// Why there is none; nil when there is.
    static let obstacle: String? = compiler == nil ? "no C compiler (clang, cc, gcc) is in the PATH" : nil

    /// Only what the clock says is wrong, not how time passes.
    private static let source = """
        #define _GNU_SOURCE
        #include <fcntl.h>
        #include <stdlib.h>
        #include <sys/mman.h>
        #include <sys/syscall.h>
        #include <sys/time.h>
        #include <time.h>
        #include <unistd.h>

        static volatile signed char *ahead;

        __attribute__((constructor)) static void begin(void) {
            const char *path = getenv("FAKE_CLOCK");
            int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
            if (file < 0) return;
            void *bytes = mmap(0, 1, PROT_READ, MAP_SHARED, file, 0);
            if (bytes != MAP_FAILED) ahead = bytes;
            close(file);
        }

        int clock_gettime(clockid_t clock, struct timespec *time) {
            int result = syscall(SYS_clock_gettime, clock, time);
            if (result == 0 && ahead && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) time->tv_sec += *ahead;
            return result;
        }

        int gettimeofday(struct timeval *time, void *zone) {
            struct timespec now;
            int result = clock_gettime(CLOCK_REALTIME, &now);
            time->tv_sec = now.tv_sec;
            time->tv_usec = now.tv_nsec / 1000;
            return result;
        }

        """

    /// A clock that is right.
    init(in directory: TestDirectory) async throws {
        guard let compiler = Self.compiler else { throw WaitedInVain(description: Self.obstacle ?? "") }
        library = directory.newPath("clock.so")
        file = try directory.file("clock", "\0")
        let source = try directory.file("clock.c", Self.source)
        try await runCommand([compiler, "-shared", "-fPIC", "-O1", "-o", library, source], in: directory)
    }

    /// Sets it, under processes that run too.
    func set(aheadBySeconds seconds: Int8) throws {
        // In place: they have mapped the file.
        let descriptor = open(file, O_WRONLY | O_CLOEXEC)
        defer { close(descriptor) }
        var byte = seconds
        guard pwrite(descriptor, &byte, 1, 0) == 1 else {
            throw WaitedInVain(description: "\(file): \(Files.text(ofError: errno))")
        }
    }

    /// What a process needs to have it.
    var environment: [String: String] { ["LD_PRELOAD": library, "FAKE_CLOCK": file] }
}
