import Foundation
import Simulation
import Testing

/// A register that starts unset, with compare-and-set, as in Jepsen's histories of etcd.
struct ComparedRegister: SequentialModel {
    enum Operation: Hashable {
        case read(Int?)
        case write(Int)
        case swap(from: Int, to: Int)
        /// A compare-and-set that found another value, and was not told which.
        case mismatch(from: Int)
    }

    var initial: Int? { nil }

    func apply(_ operation: Operation, to state: Int?) -> Int?? {
        switch operation {
        case .read(let value): value == state ? .some(state) : nil
        case .write(let value): .some(value)
        case .swap(let from, let to): state == from ? .some(to) : nil
        case .mismatch(let from): state != from ? .some(state) : nil
        }
    }
}

/// One key of a store of texts that can be appended to.
struct AppendedText: SequentialModel {
    enum Operation: Hashable {
        case get(String)
        case put(String)
        case append(String)
    }

    var initial: String { "" }

    func apply(_ operation: Operation, to state: String) -> String? {
        switch operation {
        case .get(let value): value == state ? state : nil
        case .put(let value): value
        case .append(let value): state + value
        }
    }
}

/// Histories that others have published with their verdicts, in the formats of Porcupine's test data.
struct PublishedHistories {
    /// A history and what is known of it.
    struct Entry: CustomTestStringConvertible {
        let path: String
        let isOfEtcd: Bool
        let isLinearizable: Bool

        var testDescription: String { path.split(separator: "/").last.map(String.init) ?? path }
    }

    /// The file is not as its format says.
    struct Malformed: Error {
        let line: String
    }

    /// What `verdicts.csv` of a folder lists.
    static func entries(of folder: URL) throws -> [Entry] {
        let lines = try String(contentsOf: folder.appending(path: "verdicts.csv"), encoding: .utf8).split(
            separator: "\n")
        return try lines.dropFirst().map { line in
            let parts = line.split(separator: ",").map(String.init)
            guard parts.count == 4, ["linearizable", "not-linearizable"].contains(parts[2]) else {
                throw Malformed(line: String(line))
            }
            return Entry(
                path: folder.appending(path: parts[0]).path, isOfEtcd: parts[1] == "cas-register",
                isLinearizable: parts[2] == "linearizable")
        }
    }

    /// What the checker says of one.
    static func verdict(_ entry: Entry) throws -> Bool? {
        let lines = try String(contentsOfFile: entry.path, encoding: .utf8).split(separator: "\n").map(String.init)
        if entry.isOfEtcd { return isLinearizable(ComparedRegister(), try etcd(lines)) }
        // Keys are objects of their own: all of them must be linearizable.
        let verdicts = try texts(lines).values.map { isLinearizable(AppendedText(), $0) }
        return verdicts.contains(false) ? false : verdicts.contains(nil) ? nil : true
    }

    private static func isLinearizable<Model: SequentialModel>(
        _ model: Model, _ history: [TimedOperation<Model.Operation>]
    ) -> Bool? {
        switch Linearizability.check(model, history) {
        case .holds: true
        case .violated: false
        case .undecided: nil
        }
    }

    // MARK: Formats

    /// `INFO  jepsen.util - <process> <:type> <:operation> <value>`, separated by tabs; other lines are of the faults.
    private static func etcd(_ lines: [String]) throws -> [TimedOperation<ComparedRegister.Operation>] {
        var history: [TimedOperation<ComparedRegister.Operation>] = []
        var open: [String: Int] = [:]
        for (time, line) in lines.enumerated() {
            let parts = line.split(separator: "\t").map(String.init)
            guard parts.count == 4, let process = parts[0].split(separator: " ").last.map(String.init),
                Int(process) != nil
            else { continue }
            let (type, kind, value) = (parts[1], parts[2], parts[3])
            if type == ":invoke" {
                open[process] = history.count
                let operation: ComparedRegister.Operation
                switch kind {
                case ":read": operation = .read(nil)
                case ":write": operation = .write(try number(value, line))
                case ":cas":
                    let numbers = value.trimmingCharacters(in: CharacterSet(charactersIn: "[]")).split(separator: " ")
                    guard numbers.count == 2 else { throw Malformed(line: line) }
                    operation = .swap(from: try number(numbers[0], line), to: try number(numbers[1], line))
                default: throw Malformed(line: line)
                }
                history.append(TimedOperation(operation, invoked: UInt64(time), returned: .max))
                continue
            }
            guard let index = open.removeValue(forKey: process) else { throw Malformed(line: line) }
            switch (type, history[index].operation) {
            case (":ok", .read):
                history[index].operation = .read(value == "nil" ? nil : try number(value, line))
                history[index].returned = UInt64(time)
            case (":ok", _): history[index].returned = UInt64(time)
            case (":fail", .swap(let from, _)):
                history[index].operation = .mismatch(from: from)
                history[index].returned = UInt64(time)
            // It has told nothing, so it may be left out: as a read that nobody waits for.
            case (":fail", .read), (":info", _): break
            default: throw Malformed(line: line)
            }
        }
        return history
    }

    private static func number(_ text: some StringProtocol, _ line: String) throws -> Int {
        guard let number = Int(text) else { throw Malformed(line: line) }
        return number
    }

    /// `{:process 0, :type :invoke, :f :append, :key "0", :value "..."}`, by key.
    private static func texts(_ lines: [String]) throws -> [String: [TimedOperation<AppendedText.Operation>]] {
        var histories: [String: [TimedOperation<AppendedText.Operation>]] = [:]
        var open: [String: Int] = [:]
        let pattern = #/:process (\d+), :type :(\w+), :f :(\w+), :key "([^"]*)", :value (?:nil|"([^"]*)")/#
        for (time, line) in lines.enumerated() {
            guard let match = line.firstMatch(of: pattern) else { throw Malformed(line: line) }
            let (process, key, value) = (String(match.1), String(match.4), match.5.map(String.init) ?? "")
            if match.2 == "invoke" {
                let operation: AppendedText.Operation
                switch match.3 {
                case "get": operation = .get("")
                case "put": operation = .put(value)
                case "append": operation = .append(value)
                default: throw Malformed(line: line)
                }
                open[process] = histories[key]?.count ?? 0
                histories[key, default: []].append(
                    TimedOperation(operation, invoked: UInt64(time), returned: .max))
                continue
            }
            guard let index = open.removeValue(forKey: process) else { throw Malformed(line: line) }
            if match.3 == "get" { histories[key]?[index].operation = .get(value) }
            histories[key]?[index].returned = UInt64(time)
        }
        return histories
    }
}
