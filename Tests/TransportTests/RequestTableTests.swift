import NIOCore
import Testing
import Wire

@testable import StormoClient

@Suite struct RequestTableTests {
    func operation() -> Operation {
        Operation(
            message: .statsRequest, route: .anyNode, safety: .repeatable, timeoutMs: 1, attemptMs: 1,
            completion: .engine { _ in })
    }

    func insert(_ table: inout RequestTable) -> RequestID? { table.insert(operation()) }

    @Test func idsAreNotUsedAgain() throws {
        var table = RequestTable(max: 4_096)
        var seen: Set<UInt32> = []
        for _ in 0..<10_000 {
            let inserted = insert(&table)
            let id = try #require(inserted)
            #expect(seen.insert(id.rawValue).inserted && id != .oneWay)
            #expect(table.remove(id) != nil && table.remove(id) == nil)
        }
        #expect(table.count == 0)
    }

    @Test func growsAndKeepsEverythingUpToItsBound() throws {
        var table = RequestTable(max: 1_000)
        var kept: [(RequestID, Operation)] = []
        for _ in 0..<1_000 {
            let operation = operation()
            let id = table.insert(operation)
            kept.append((try #require(id), operation))
        }
        #expect(table.insert(operation()) == nil && table.count == 1_000)
        for (id, operation) in kept.reversed() { #expect(table.remove(id) === operation) }
        #expect(table.insert(operation()) != nil)
    }

    @Test func longLivedRequestsDoNotBlockIDs() throws {
        var table = RequestTable(max: 100)
        let inserted = insert(&table)
        let old = try #require(inserted)
        for _ in 0..<1_000 {
            let id = insert(&table)
            _ = table.remove(try #require(id))
        }
        #expect(table.remove(old) != nil)
    }

    @Test func everythingComesOutInOrder() throws {
        var table = RequestTable(max: 1_000)
        let operations = (0..<300).map { _ in operation() }
        for operation in operations { _ = table.insert(operation) }
        let out = table.removeAll()
        #expect(zip(out, operations).allSatisfy { $0 === $1 } && out.count == 300 && table.count == 0)
    }
}
