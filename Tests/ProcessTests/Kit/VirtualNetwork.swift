import Glibc
import Synchronization

@testable import Stormo

/// Hosts with addresses of their own on this machine: each has a network namespace with one device, and this process is
/// one host among them. All packets pass through a `PacketSwitch`. Nothing is left of it when this process ends.
final class VirtualNetwork: Sendable {
    /// Passes the packets; its conditions are the network's.
    let packets: PacketSwitch
    /// The hosts' namespaces; this process itself is none of them.
    let hosts: [Namespaces]
    private let network: [UInt8]

    /// Why this machine gives none; nil when it does.
    static let obstacle: String? = {
        if let obstacle = Namespaces.obstacle { return obstacle }
        guard ip != nil else { return "the command ip (package iproute2) is missing" }
        let device = open("/dev/net/tun", O_RDWR | O_CLOEXEC)
        guard device >= 0 else { return "/dev/net/tun cannot be opened: \(Files.text(ofError: errno))" }
        close(device)
        return nil
    }()

    private static let ip = ["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip"].first { (path: String) in
        access(path, X_OK) == 0
    }

    /// Makes so many hosts beside this one.
    init(hosts count: Int, in directory: TestDirectory) async throws {
        guard let ip = Self.ip else { throw WaitedInVain(description: "the command ip is missing") }
        // 198.18.0.0/15 is set aside for tests of networks (RFC 2544): no real host is there.
        let (third, devices) = try Self.openDevices(count + 1)
        network = [198, 18, third]
        packets = try PacketSwitch(devices: devices, network: network)
        var hosts: [Namespaces] = []
        for index in 1...count {
            let host = try await Namespaces([.network, .mounts], in: directory)
            try await runCommand(
                [ip, "link", "set", Self.deviceName(third, index), "netns", "\(host.pid)"], in: directory)
            hosts.append(host)
        }
        self.hosts = hosts
        for index in 0...count {
            let device = Self.deviceName(third, index)
            let commands = [
                "\(ip) link set lo up", "\(ip) link set \(device) up txqueuelen 10000",
                "\(ip) address add \(address(index))/24 dev \(device)",
            ]
            let command = ["/bin/sh", "-c", commands.dropFirst(index == 0 ? 1 : 0).joined(separator: " && ")]
            if index == 0 {
                try await runCommand(command, in: directory)
            } else {
                try await hosts[index - 1].run(command)
            }
        }
    }

    deinit { packets.end() }

    /// The address of a host; 0 is this process.
    func address(_ host: Int) -> String { (network + [UInt8(host + 1)]).map(String.init).joined(separator: ".") }

    /// Nothing passes any more between two groups of hosts; 0 is this process.
    func sever(_ group: [Int], from others: [Int]) {
        for host in group {
            for other in others {
                packets.conditions.severed.insert(.init(from: host, to: other))
                packets.conditions.severed.insert(.init(from: other, to: host))
            }
        }
    }

    /// Nothing that one host sends reaches another any more; what comes back does.
    func sever(from host: Int, to other: Int) { packets.conditions.severed.insert(.init(from: host, to: other)) }

    /// Everything passes at once again.
    func heal() { packets.conditions = PacketSwitch.Conditions() }

    private static func deviceName(_ third: UInt8, _ host: Int) -> String { "stormo\(third)h\(host)" }

    /// Opens the devices of a network that nobody uses: the first whose name is free is ours.
    private static func openDevices(_ count: Int) throws -> (UInt8, [Int32]) {
        var reason = ""
        for third in (UInt8.min...UInt8.max).shuffled() {
            var devices: [Int32] = []
            for host in 0..<count {
                let device = openDevice(deviceName(third, host))
                guard device >= 0 else {
                    reason = Files.text(ofError: errno)
                    break
                }
                devices.append(device)
            }
            if devices.count == count { return (third, devices) }
            for device in devices { close(device) }
        }
        throw WaitedInVain(description: "no TUN device can be made: \(reason)")
    }

    private static func openDevice(_ name: String) -> Int32 {
        let device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC)
        guard device >= 0 else { return device }
        // struct ifreq: sixteen bytes of name, then the flags. The numbers are those of <linux/if_tun.h>, which Swift
        // does not see: IFF_TUN | IFF_NO_PI, TUNSETIFF.
        var request = Array(name.utf8) + [UInt8](repeating: 0, count: 40 - name.utf8.count)
        request[16] = 0x01
        request[17] = 0x10
        guard ioctl(device, 0x4004_54CA, &request) == 0 else {
            close(device)
            return -1
        }
        return device
    }
}
