import NIOCore
import Wire

/// A member's hold of one partition of its group: does what `GroupLease` decides. Used by one task at a time, so that its
/// writes follow each other.
struct PartitionLease: Sendable {
    private let client: StormoClient
    private let key: Key
    private var lease: GroupLease

    /// Where the group goes on reading; nil before the first commit.
    var offset: Offset? { lease.offset }

    /// Takes a partition that is free or whose lease has ended, for a member that no other has the name of; nil when
    /// another member holds it.
    static func take(
        _ partition: PartitionID, group: String, topic: String, owner: String, client: StormoClient
    ) async throws(ClientError) -> PartitionLease? {
        let key = GroupRegister.key(group: group, partition: partition)
        var former: (register: GroupRegister, version: Ballot)?
        if let found = try await client.get(key) {
            do throws(WireError) { former = (try GroupRegister(found.value), found.version) } catch {
                throw .refused(
                    .invalid,
                    "the register of group '\(group)' for partition \(partition.index) of '\(topic)': \(error)")
            }
        }
        let bounds = GroupLease.Bounds(
            lengthMs: client.configuration.sessionLeaseMs, driftMaxMs: client.configuration.clockDriftMaxMs,
            marginMs: ClientLimits.leaseMarginMs)
        guard
            let attempt = GroupLease.taking(
                former, for: owner, of: topic, bounds, wallMs: client.router.nowMs, nowMs: Self.nowMs)
        else { return nil }
        var version: Ballot?
        do throws(ClientError) {
            let answer = try await client.compareAndSet(key, attempt.register.encoded, if: attempt.condition)
            guard answer.applied else { return nil }
            version = answer.version
        } catch {
            guard case .outcomeUnknown = error else { throw error }
        }
        if version == nil, let now = try await client.get(key), now.value == attempt.register.encoded {
            version = now.version
        }
        return version.map {
            PartitionLease(client: client, key: key, lease: GroupLease(attempt, version: $0, bounds))
        }
    }

    /// When it should be written again though there is nothing to commit.
    var renewalAt: NIODeadline { Self.deadline(lease.renewalAtMs) }

    /// Extends the lease; false when it is lost.
    mutating func renew() async -> Bool { await write(offset) }

    /// Moves the group's position and extends the lease; false when it is lost, and then the position was not moved.
    mutating func commit(_ offset: Offset) async -> Bool { await write(offset) }

    /// Gives the partition back, once, without insisting: the lease ends by itself.
    mutating func release() async {
        let attempt = lease.releasing(nowMs: Self.nowMs)
        _ = try? await client.compareAndSet(key, attempt.register.encoded, if: attempt.condition)
    }

    private mutating func write(_ offset: Offset?) async -> Bool {
        var pause = RetryPause(deadline: Self.deadline(lease.endsAtMs))
        while Self.nowMs < lease.endsAtMs {
            let attempt = lease.writing(offset, wallMs: client.router.nowMs, nowMs: Self.nowMs)
            do throws(ClientError) {
                let answer = try await client.compareAndSet(key, attempt.register.encoded, if: attempt.condition)
                if answer.applied, let version = answer.version {
                    lease.written(attempt, version: version)
                    return true
                }
                let found = try await client.get(key)
                let register = found.flatMap { found in
                    (try? GroupRegister(found.value)).map { ($0, found.version) }
                }
                switch lease.found(register, after: attempt) {
                case .written: return true
                case .again: continue
                case .lost: return false
                }
            } catch {
                if case .closed = error { return false }
                do throws(ClientError) { try await pause.wait(orThrow: error) } catch { return false }
            }
        }
        return false
    }

    /// This host's monotonic clock, in milliseconds.
    private static var nowMs: UInt64 { NIODeadline.now().uptimeNanoseconds / 1_000_000 }

    private static func deadline(_ ms: UInt64) -> NIODeadline { .uptimeNanoseconds(ms * 1_000_000) }
}
