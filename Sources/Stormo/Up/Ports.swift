#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// TCP ports of this machine's loopback address.
enum Ports {
    /// Whether a server could listen there now.
    static func isFree(_ port: Int) -> Bool {
        withSocket { descriptor in
            var yes: Int32 = 1
            // As servers do: the waiting remains of closed connections do not count.
            setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
            return call(descriptor, port, systemBind) == 0 && listen(descriptor, 1) == 0
        }
    }

    /// Whether a server answers there.
    static func answers(_ port: Int) -> Bool {
        withSocket { call($0, port, systemConnect) == 0 }
    }

    /// The first free ports from `start` on, below the range from which the system takes ports for outgoing
    /// connections; nil when there are too few.
    static func free(_ count: Int, from start: Int, except taken: Set<Int> = []) -> [Int]? {
        var found: [Int] = []
        var port = start
        while found.count < count, port < 32_768 {
            if !taken.contains(port), isFree(port) { found.append(port) }
            port += 1
        }
        return found.count == count ? found : nil
    }

    private typealias AddressCall = (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32

    private static func withSocket(_ body: (Int32) -> Bool) -> Bool {
        #if canImport(Glibc)
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        #else
            let descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)
        #endif
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return body(descriptor)
    }

    private static func call(_ descriptor: Int32, _ port: Int, _ function: AddressCall) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                function(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    private static func systemBind(_ descriptor: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t)
        -> Int32
    {
        bind(descriptor, address, length)
    }

    private static func systemConnect(_ descriptor: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t)
        -> Int32
    {
        connect(descriptor, address, length)
    }
}
