import Wire
import WireTransport

/// What has gone through a node's connections since it started: those that are open, and those that have ended.
struct Traffic {
    private var open: [ObjectIdentifier: Connection] = [:]
    private var bytesIn: UInt64 = 0
    private var bytesOut: UInt64 = 0
    private var framesIn: UInt64 = 0
    private var framesOut: UInt64 = 0

    /// A connection counts from now on.
    mutating func opened(_ connection: Connection) { open[ObjectIdentifier(connection)] = connection }

    /// What an ended connection has carried is kept.
    mutating func closed(_ connection: Connection) {
        guard open.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        add(connection)
    }

    /// The figures, handshakes aside: what a connection between two nodes carries is counted by both.
    var items: [NodeStatistics.Item] {
        var sum = self
        for connection in open.values { sum.add(connection) }
        return [
            .init(name: "wire_bytes_in_total", value: sum.bytesIn),
            .init(name: "wire_bytes_out_total", value: sum.bytesOut),
            .init(name: "wire_frames_in_total", value: sum.framesIn),
            .init(name: "wire_frames_out_total", value: sum.framesOut),
        ]
    }

    private mutating func add(_ connection: Connection) {
        bytesIn &+= connection.bytesIn
        bytesOut &+= connection.bytesOut
        framesIn &+= connection.framesIn
        framesOut &+= connection.framesOut
    }
}
