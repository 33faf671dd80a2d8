import NIOCore
import Wire

/// A member's hold of one partition of its group. Used by one task at a time, so that its writes follow each other.
struct PartitionLease: Sendable {
    /// Where the group goes on reading; nil before the first commit.
    private(set) var offset: Offset?

    private let client: StormoClient
    private let key: Key
    private let topic: String
    private let owner: String
    private let token: UInt64
    private var version: Ballot
    private var writtenAt: NIODeadline

    /// Takes a partition that is free or whose lease has ended, for a member that no other has the name of; nil when
    /// another member holds it.
    static func take(
        _ partition: PartitionID, group: String, topic: String, owner: String, client: StormoClient
    ) async throws(ClientError) -> PartitionLease? {
        let key = GroupRegister.key(group: group, partition: partition)
        let found = try await client.get(key)
        var former: GroupRegister?
        if let found {
            do throws(WireError) { former = try GroupRegister(found.value) } catch {
                throw .refused(
                    .invalid,
                    "the register of group '\(group)' for partition \(partition.index) of '\(topic)': \(error)")
            }
        }
        let nowMs = client.router.nowMs
        let marginMs = ClientLimits.leaseMarginMs
        if let former, former.owner != owner, former.isHeld(atMs: nowMs - min(nowMs, marginMs)) { return nil }
        // From before the write: the cluster counts from when it was made.
        let writtenAt = NIODeadline.now()
        let register = GroupRegister(
            owner: owner, token: (former?.token ?? 0) + 1, leaseEndMs: nowMs + client.configuration.sessionLeaseMs,
            offset: former?.offset, topic: topic)
        let condition: Condition = found.map { .version($0.version) } ?? .absent
        var version: Ballot?
        do throws(ClientError) {
            let answer = try await client.compareAndSet(key, register.encoded, if: condition)
            guard answer.applied else { return nil }
            version = answer.version
        } catch {
            guard case .outcomeUnknown = error else { throw error }
        }
        if version == nil, let now = try await client.get(key), now.value == register.encoded { version = now.version }
        guard let version else { return nil }
        return PartitionLease(
            offset: register.offset, client: client, key: key, topic: topic, owner: owner, token: register.token,
            version: version,
            writtenAt: writtenAt)
    }

    /// When it should be written again though there is nothing to commit: after a third of its length, so that two
    /// renewals may fail.
    var renewalAt: NIODeadline { writtenAt + .milliseconds(Int64(client.configuration.sessionLeaseMs / 3)) }

    /// When another member may have taken the partition, by this host's monotonic clock; not earlier than that member
    /// sees it, for clocks within their bound.
    private var endsAt: NIODeadline {
        let lengthMs = client.configuration.sessionLeaseMs
        return writtenAt + .milliseconds(Int64(lengthMs - min(lengthMs, client.configuration.clockDriftMaxMs)))
    }

    /// Extends the lease; false when it is lost.
    mutating func renew() async -> Bool { await write(offset) }

    /// Moves the group's position and extends the lease; false when it is lost, and then the position was not moved.
    mutating func commit(_ offset: Offset) async -> Bool { await write(offset) }

    /// Gives the partition back, once, without insisting: the lease ends by itself.
    mutating func release() async {
        let register = GroupRegister(owner: "", token: token, leaseEndMs: 0, offset: offset, topic: topic)
        _ = try? await client.compareAndSet(key, register.encoded, if: .version(version))
    }

    private mutating func write(_ offset: Offset?) async -> Bool {
        var pause = RetryPause(deadline: endsAt)
        while NIODeadline.now() < endsAt {
            let startedAt = NIODeadline.now()
            let register = GroupRegister(
                owner: owner, token: token, leaseEndMs: client.router.nowMs + client.configuration.sessionLeaseMs,
                offset: offset, topic: topic)
            do throws(ClientError) {
                let answer = try await client.compareAndSet(key, register.encoded, if: .version(version))
                if answer.applied, let written = answer.version {
                    version = written
                    writtenAt = startedAt
                    self.offset = offset
                    return true
                }
                // Someone wrote in between, or one of our own writes whose answer was lost did go through.
                guard try await adopt(register, startedAt) else { return false }
                if self.offset == offset, writtenAt == startedAt { return true }
            } catch {
                if case .closed = error { return false }
                do throws(ClientError) { try await pause.wait(orThrow: error) } catch { return false }
            }
        }
        return false
    }

    /// Looks at the register after a write that did not go as expected: false when the partition is another's.
    private mutating func adopt(_ written: GroupRegister, _ startedAt: NIODeadline) async throws(ClientError) -> Bool {
        guard let found = try await client.get(key), let register = try? GroupRegister(found.value),
            register.owner == owner,
            register.token == token
        else { return false }
        version = found.version
        if register == written {
            offset = written.offset
            writtenAt = startedAt
        }
        return true
    }
}
