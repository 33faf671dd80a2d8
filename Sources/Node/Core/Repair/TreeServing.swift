import DequeModule
import Wire

/// A tree that another replica has asked for.
struct TreeJob {
    let channel: ChannelID
    let request: RequestID
    let startedMs: UInt64
    var tree: MerkleTree
    /// The entry that must be durable before the tree may be told.
    var needed: JournalSequence?
}

/// Trees that other replicas have asked for, and how much more may be read in this tick.
struct TreeServing {
    var jobs: Deque<TreeJob> = []
    /// Registers that trees may still read in this tick, the own and those of others together.
    var keysLeft = 0
}

/// The making of trees, a slice at a time: a stretch may have any number of registers, and whoever waits for a register
/// must not wait for them.
extension Node {
    mutating func tickTrees() {
        serving.keysLeft = limits.repairKeysPerTick
        // Whoever has asked does not wait any longer.
        let (now, patience) = (time.monotonicMs, limits.treeTimeoutMs)
        serving.jobs.removeAll { now >= $0.startedMs + patience }
        // The own comparison reads as well: who is asked leaves it its part.
        serveTrees(keysMax: comparing.isReading ? serving.keysLeft / 2 : serving.keysLeft)
    }

    /// Another replica asks for a tree.
    mutating func makeTree(_ request: TreeRequest, for channel: ChannelID, _ id: RequestID) {
        guard isWhole else {
            counters.notWholeRefused += 1
            return refuse(
                channel, id, .notWhole, "\(identity.name) does not hold its copies of this range yet")
        }
        guard serving.jobs.count < limits.treeJobsMax else {
            counters.overloaded += 1
            return refuse(
                channel, id, .overloaded,
                "\(identity.name) makes \(limits.treeJobsMax) trees already: try again after a pause")
        }
        // Who is asked for a tree is asked to collect next, and judges ages by its ceiling.
        raiseCeiling(for: clock.now(physicalMs: time.wallMs))
        serving.jobs.append(
            TreeJob(
                channel: channel, request: id, startedMs: time.monotonicMs,
                tree: MerkleTree(request.range, leaves: Int(request.leaves)), needed: nil))
        serveTrees(keysMax: serving.keysLeft)
    }

    /// Goes on with the trees in turn until `keysMax` registers have been read.
    private mutating func serveTrees(keysMax: Int) {
        let floor = serving.keysLeft - keysMax
        while serving.keysLeft > floor, var job = serving.jobs.popFirst() {
            let share = max(1, (serving.keysLeft - floor) / (serving.jobs.count + 1))
            guard let page = readSlice(of: job.tree, keysMax: share) else {
                refuse(job.channel, job.request, .internalError, "\(identity.name) cannot read its registers")
                continue
            }
            for item in page.items {
                if let sequence = gate.needed(for: item.key), sequence > job.needed ?? .start { job.needed = sequence }
            }
            job.tree.add(page, keysMax: limits.treeKeysMax)
            if job.tree.isDone {
                counters.treesMade += 1
                answerAsReplica(
                    (.tree(Tree(leaves: job.tree.leaves)), job.needed), to: job.channel, job.request)
            } else {
                serving.jobs.append(job)
            }
        }
    }

    /// The registers that follow in a tree; nil when they cannot be read.
    mutating func readSlice(of tree: MerkleTree, keysMax: Int) -> RegisterPage? {
        do throws(StoreError) {
            let page = try store.registers(
                in: tree.range, after: tree.after, limit: min(max(keysMax, 1), WireLimits.scanItemsMax),
                bytesMax: limits.repairSliceBytes)
            serving.keysLeft -= page.items.count + 1
            return page
        } catch {
            serving.keysLeft -= 1
            counters.storeErrors += 1
            if !noticeDamage(nil, error) { note(.error, "\(identity.name) cannot compare its registers: \(error)") }
            return nil
        }
    }

    /// Nobody waits for the answer any more.
    mutating func forgetTrees(of channel: ChannelID) { serving.jobs.removeAll { $0.channel == channel } }

    /// Another epoch is in force: whoever has asked will ask again under it.
    mutating func restartTrees() {
        while let job = serving.jobs.popFirst() {
            refuse(job.channel, job.request, .staleEpoch, "the ring has changed meanwhile")
        }
    }
}
