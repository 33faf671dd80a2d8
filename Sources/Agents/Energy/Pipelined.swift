import StormoClient

/// Runs an operation for every item with a bounded number of them in flight, and gives the results in the items'
/// order. The first failure ends the rest and is thrown.
func pipelined<Item: Sendable, Value: Sendable>(
    _ items: [Item], inFlightMax: Int, _ operation: @escaping @Sendable (Item) async throws(ClientError) -> Value
) async throws(ClientError) -> [Value] {
    if items.count == 1 { return [try await operation(items[0])] }
    typealias Outcome = (index: Int, result: Result<Value, ClientError>)
    let outcomes = await withTaskGroup(of: Outcome.self, returning: [Outcome].self) { group in
        var next = 0
        func startNext() {
            guard next < items.count else { return }
            let index = next
            let item = items[index]
            next += 1
            group.addTask {
                do throws(ClientError) {
                    return (index, .success(try await operation(item)))
                } catch {
                    return (index, .failure(error))
                }
            }
        }
        for _ in 0..<max(1, inFlightMax) { startNext() }
        var done: [Outcome] = []
        done.reserveCapacity(items.count)
        while let outcome = await group.next() {
            done.append(outcome)
            if case .failure = outcome.result {
                next = items.count
                group.cancelAll()
            }
            startNext()
        }
        return done
    }
    var values: [(index: Int, value: Value)] = []
    values.reserveCapacity(outcomes.count)
    for outcome in outcomes { values.append((outcome.index, try outcome.result.get())) }
    return values.sorted { $0.index < $1.index }.map(\.value)
}
