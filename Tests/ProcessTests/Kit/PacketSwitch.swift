import Glibc
import NIOCore
import Synchronization

@testable import Stormo

/// Passes IP packets between hosts, on a thread of its own: each host is a TUN device whose other end is open here.
/// Packets come as late as told, are lost at random, or never get through. Done here and not by the kernel's queueing
/// disciplines, since many kernels come without the one that delays and loses.
final class PacketSwitch: Sendable {
    /// What happens to packets.
    struct Conditions: Sendable {
        /// How long each packet is under way, in milliseconds.
        var delayMs: UInt64 = 0
        /// Share of packets that is lost, 0 to 1.
        var loss = 0.0
        /// Pairs of hosts, from and to, between which nothing passes.
        var severed: Set<Direction> = []
    }

    /// From one host to another.
    struct Direction: Hashable, Sendable {
        var from: Int
        var to: Int
    }

    /// What became of the packets so far.
    struct Counts: Sendable {
        var passed = 0
        var lost = 0
        var severed = 0
    }

    private struct Packet {
        var dueNs: UInt64
        var bytes: [UInt8]
    }

    /// Longest packet that a device gives: far above its MTU.
    private static let packetBytesMax = 65_536
    /// Packets that wait for one host; more are lost, as on a real line.
    private static let waitingMax = 20_000

    private let state = Mutex((conditions: Conditions(), counts: Counts(), isOver: false))
    private let devices: [Int32]
    private let network: [UInt8]

    /// A switch between devices; that of host i has the address `network` with i + 1 as its last byte. Closes the
    /// devices when it is ended.
    init(devices: [Int32], network: [UInt8]) throws {
        self.devices = devices
        self.network = network
        guard DetachedThread.start({ [self] in run() }) else {
            throw WaitedInVain(description: "no thread left for the packets")
        }
    }

    /// What happens to packets from now on.
    var conditions: Conditions {
        get { state.withLock { $0.conditions } }
        set { state.withLock { $0.conditions = newValue } }
    }

    /// What became of the packets so far.
    var counts: Counts { state.withLock { $0.counts } }

    /// Stops passing packets.
    func end() { state.withLock { $0.isOver = true } }

    private func run() {
        var waiting = devices.map { _ in PacketLine() }
        var polled = devices.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        let buffer = UnsafeMutableRawPointer.allocate(byteCount: Self.packetBytesMax, alignment: 16)
        var random = SystemRandomNumberGenerator()
        defer {
            buffer.deallocate()
            for device in devices { close(device) }
        }
        while !state.withLock({ $0.isOver }) {
            // A millisecond is precise enough for delays, and seldom enough when there is nothing to do.
            _ = poll(&polled, nfds_t(polled.count), waiting.allSatisfy(\.isEmpty) ? 20 : 1)
            let nowNs = Self.nowNs
            for host in polled.indices where polled[host].revents != 0 {
                // The device of a host that is gone gives errors only.
                if Int32(polled[host].revents) & POLLIN == 0 { polled[host].fd = -1 }
                for _ in 0..<64 {
                    let count = read(devices[host], buffer, Self.packetBytesMax)
                    guard count > 0 else { break }
                    let packet = UnsafeRawBufferPointer(start: buffer, count: count)
                    forward(packet, from: host, nowNs, &waiting, &random)
                }
            }
            for host in waiting.indices {
                while let bytes = waiting[host].next(dueNs: nowNs) {
                    bytes.withUnsafeBytes { _ = write(devices[host], $0.baseAddress, $0.count) }
                }
            }
        }
    }

    private func forward(
        _ packet: UnsafeRawBufferPointer, from: Int, _ nowNs: UInt64, _ waiting: inout [PacketLine],
        _ random: inout SystemRandomNumberGenerator
    ) {
        // The destination of an IPv4 packet is in its bytes 16 to 19; hosts say more than that, such as IPv6 greetings.
        guard packet.count >= 20, packet[0] >> 4 == 4, packet[16..<19].elementsEqual(network) else { return }
        let to = Int(packet[19]) - 1
        guard devices.indices.contains(to), to != from else { return }
        let delayMs: UInt64? = state.withLock { state in
            if state.conditions.severed.contains(Direction(from: from, to: to)) {
                state.counts.severed += 1
                return nil
            }
            let isLost = state.conditions.loss > 0 && Double.random(in: 0..<1, using: &random) < state.conditions.loss
            if isLost || waiting[to].count >= Self.waitingMax {
                state.counts.lost += 1
                return nil
            }
            state.counts.passed += 1
            return state.conditions.delayMs
        }
        guard let delayMs else { return }
        if delayMs == 0, waiting[to].isEmpty {
            _ = write(devices[to], packet.baseAddress, packet.count)
        } else {
            waiting[to].append(Array(packet), dueNs: nowNs + delayMs * 1_000_000)
        }
    }

    private static var nowNs: UInt64 { NIODeadline.now().uptimeNanoseconds }
}

/// Packets on their way to one host, in the order of their arrival.
private struct PacketLine {
    private var packets: [(dueNs: UInt64, bytes: [UInt8])] = []
    private var first = 0

    var count: Int { packets.count - first }
    var isEmpty: Bool { count == 0 }

    /// Lines do not reorder: a packet is never due before the one ahead of it.
    mutating func append(_ bytes: [UInt8], dueNs: UInt64) {
        packets.append((max(dueNs, packets.last?.dueNs ?? 0), bytes))
    }

    /// The next packet that is due.
    mutating func next(dueNs: UInt64) -> [UInt8]? {
        guard first < packets.count, packets[first].dueNs <= dueNs else { return nil }
        let bytes = packets[first].bytes
        first += 1
        if first == packets.count {
            packets.removeAll(keepingCapacity: true)
            first = 0
        } else if first >= 1_024 {
            packets.removeFirst(first)
            first = 0
        }
        return bytes
    }
}
