import Wire

/// The primary serves records, up to the high watermark.
extension Node {
    /// Serves records, or waits for some.
    mutating func fetch(_ fetch: Fetch, for channel: ChannelID, _ request: RequestID) {
        guard let (partition, primary) = serving(fetch.partition, channel, request, .fetch(fetch)) else { return }
        counters.fetches += 1
        serve(
            WaitingFetch(
                fetch: fetch, channel: channel, request: request, untilMs: time.monotonicMs + UInt64(fetch.waitMs)),
            partition, primary)
    }

    /// Says where something is.
    mutating func findOffset(_ ask: OffsetRequest, for channel: ChannelID, _ request: RequestID) {
        guard let (partition, primary) = serving(ask.partition, channel, request, .offsetRequest(ask)),
            let first = partition.log?.facts.firstOffset
        else { return }
        let end = max(first, primary.highWatermark)
        do throws(StoreError) {
            let offset: Offset
            switch ask.query {
            case .earliest: offset = first
            case .latest: offset = end
            case .offset(let wanted): offset = min(max(first, wanted), end)
            case .last(let count): offset = max(first, end - min(end, count))
            case .time(let ms): offset = try store.find(.appended(ms), in: partition.id, limit: end)?.base ?? end
            }
            let mark = offset < end ? try store.find(.holding(offset), in: partition.id, limit: end) : nil
            reply(
                channel, request,
                .offsetAnswer(
                    OffsetAnswer(
                        epoch: primary.epoch, offset: max(first, offset), highWatermark: end, firstOffset: first,
                        appendedMs: mark?.appendedMs ?? 0)))
        } catch {
            counters.storeErrors += 1
            note(.error, "\(identity.name) cannot look into partition \(partition.id): \(error)")
            refuse(channel, request, .internalError, "\(identity.name): \(error)")
        }
    }

    /// The partition, when this node is its primary and may serve it; else the request waits or is refused.
    private mutating func serving(
        _ id: PartitionID, _ channel: ChannelID, _ request: RequestID, _ message: Message
    ) -> (Partition, Primary)? {
        guard let partition = partitions[id], let primary = partition.primary else {
            waitForConfiguration(id, channel, request, message)
            return nil
        }
        guard primary.isReady || Mutation.electedServesOldWatermark.isOn else {
            refuse(
                channel, request, .notReady,
                "\(identity.name) has just become primary and is still committing what it inherited")
            return nil
        }
        return (partition, primary)
    }

    mutating func serve(_ waiting: WaitingFetch, _ partition: Partition, _ primary: Primary) {
        guard let first = partition.log?.facts.firstOffset else { return }
        let offset = waiting.fetch.offset
        let isBeforeFirst = offset < first
        if offset == .max || isBeforeFirst || offset < primary.highWatermark || time.monotonicMs >= waiting.untilMs {
            var batches: [RecordBatch] = []
            if !isBeforeFirst, offset < primary.highWatermark {
                do throws(StoreError) {
                    let bytesMax = min(Int(waiting.fetch.bytesMax), limits.fetchBytesMax)
                    batches = try store.batches(
                        partition.id, from: offset, limit: primary.highWatermark, bytesMax: bytesMax)
                } catch {
                    if noticeLogDamage(partition, error) {
                        return refuse(
                            waiting.channel, waiting.request, .notReady,
                            "\(identity.name)'s copy is damaged: another replica has to take over")
                    }
                    note(.error, "\(identity.name) cannot read partition \(partition.id): \(error)")
                    return refuse(waiting.channel, waiting.request, .internalError, "\(identity.name): \(error)")
                }
            }
            reply(
                waiting.channel, waiting.request,
                .fetched(
                    Fetched(
                        epoch: primary.epoch, highWatermark: primary.highWatermark, firstOffset: first,
                        batches: batches)))
        } else if primary.fetches.count < limits.fetchesWaitingMax {
            primary.fetches.append(waiting)
        } else {
            counters.overloaded += 1
            refuse(
                waiting.channel, waiting.request, .overloaded,
                "\(limits.fetchesWaitingMax) fetches wait for partition \(partition.id) already: try again after a pause"
            )
        }
    }

    /// Answers fetches whose wait is over.
    mutating func expireFetches(_ partition: Partition, _ primary: Primary) {
        let now = time.monotonicMs
        guard primary.fetches.contains(where: { $0.untilMs <= now }) else { return }
        let due = primary.fetches.filter { $0.untilMs <= now }
        primary.fetches.removeAll { $0.untilMs <= now }
        for waiting in due { serve(waiting, partition, primary) }
    }
}
