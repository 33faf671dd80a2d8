import Testing

/// A condition that did not come to hold, with what the processes involved said last.
struct WaitedInVain: Error, CustomStringConvertible {
    let description: String
}

/// Waits until `condition` holds, asking again and again; an error that it throws counts as "not yet". Throws
/// `WaitedInVain` after `seconds`, with the last error and the ends of the logs of `processes`.
func eventually(
    _ what: @autoclosure () -> String, within seconds: Double = 30, _ processes: [StormoProcess] = [],
    _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    var lastError: (any Error)?
    repeat {
        do {
            if try await condition() { return }
            lastError = nil
        } catch { lastError = error }
        try await Task.sleep(for: .milliseconds(20))
    } while ContinuousClock.now < deadline
    var text = "waited \(seconds) s in vain: \(what())"
    if let lastError { text += "; last error: \(lastError)" }
    for process in processes { text += "\n--- \(process.name) (\(process.state))\n\(process.logTail())" }
    throw WaitedInVain(description: text)
}
