import Testing

@testable import Stormo

@Suite struct DescriptorBudgetTests {
    @Test(arguments: [128, 200, 256, 1_024, 4_096, 65_536, 524_288, Int.max])
    func sharesFitIntoTheLimit(_ limit: Int) throws {
        let node = try DescriptorBudget.node(limit: limit, wanted: nil)
        // Connections to other nodes need as many as are kept for those that they make.
        let used = node.connections + node.connectionsKeptForNodes + node.handshakes + node.logFiles
        #expect(used <= limit - 48)
        // Three nodes with two connections each way, and a few clients.
        #expect(node.connectionsKeptForNodes >= 8 && node.connections - node.connectionsKeptForNodes >= 8)
        #expect(node.handshakes >= 8 && node.logFiles >= 8)
        let gateway = try DescriptorBudget.gateway(limit: limit, wanted: nil)
        #expect((32...limit - 64).contains(gateway.connections))
    }

    @Test func whatIsWantedIsGivenOrRefused() throws {
        #expect(try DescriptorBudget.node(limit: 1_024, wanted: 100).connections == 100)
        #expect(try DescriptorBudget.gateway(limit: 1_024, wanted: 100).connections == 100)
        #expect(try DescriptorBudget.node(limit: 524_288, wanted: 200_000).connections == 200_000)
        #expect(throws: ConfigurationError.self) { try DescriptorBudget.node(limit: 1_024, wanted: 1_000) }
        #expect(throws: ConfigurationError.self) { try DescriptorBudget.gateway(limit: 1_024, wanted: 1_000) }
        #expect(throws: ConfigurationError.self) { try DescriptorBudget.node(limit: 127, wanted: nil) }
    }

    @Test func withoutAWishThereIsABound() throws {
        #expect(try DescriptorBudget.node(limit: .max, wanted: nil).connections == 10_000)
        #expect(try DescriptorBudget.gateway(limit: .max, wanted: nil).connections == 16_384)
    }

    @Test func theLimitIsRaised() {
        DescriptorLimit.raise()
        #expect(DescriptorLimit.current >= 128)
        let raised = DescriptorLimit.current
        DescriptorLimit.raise()
        #expect(DescriptorLimit.current == raised)
    }
}
