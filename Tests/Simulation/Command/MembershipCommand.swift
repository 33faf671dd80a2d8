import ArgumentParser
import Glibc
import Simulation

struct MembershipCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "membership",
        abstract: "Measures the membership: detection, false alarms, messages, and healing after a split.",
        discussion: """
            Each line is one cluster with default times. Members crash one after the other, in two ways: killed, so that
            their connections close, and silent, as a host without power; told are the median of the first member that
            declared the death, and of the last that heard of it with the longest in brackets. Then the halves are cut
            off from each other, and healed: told is when all members knew all again.
            """)

    @Option(help: "Sizes of clusters, separated by commas.") var nodes = "8,64,512,1000"
    @Option(help: "Messages lost, in percent, separated by commas.") var loss = "0,5,20"
    @Option(help: "The seed of all that is random.") var seed: UInt64 = 1
    @Option(help: "Quiet time, in seconds of virtual time; 16 node hours and at least a minute when left out.")
    var quiet: UInt64?
    @Option(help: "Members that crash in each of the two ways.") var crashes = 5
    @Option(help: "How long the halves are apart, in seconds of virtual time; 0 leaves it out.") var split: UInt64 = 600

    func run() throws {
        let sizes = try numbers(nodes, "--nodes", in: 2...1_200)
        let losses = try numbers(loss, "--loss", in: 0...90)
        let header = MembershipFigures.header + ["CPU s"]
        print(line(header, header))
        for count in sizes {
            for percent in losses {
                let startedTicks = clock()
                let experiment = MembershipExperiment(
                    members: count, lossPerMille: UInt64(percent * 10), seed: seed,
                    quietSeconds: quiet ?? UInt64(max(60, 16 * 3_600 / count)), crashes: crashes, splitSeconds: split)
                let row = experiment.run().row
                let seconds = (clock() - startedTicks) / CLOCKS_PER_SEC
                print(line(row + ["\(seconds)"], header))
            }
        }
    }

    private func numbers(_ text: String, _ option: String, in range: ClosedRange<Int>) throws -> [Int] {
        try text.split(separator: ",").map { part in
            guard let number = Int(part), range.contains(number) else {
                throw ValidationError(
                    "\(option) takes numbers from \(range.lowerBound) to \(range.upperBound), not \(part)")
            }
            return number
        }
    }

    /// Cells to the right, in columns as wide as their headings: each line is printed before the next is known.
    private func line(_ cells: [String], _ header: [String]) -> String {
        zip(cells, header).map { cell, heading in
            String(repeating: " ", count: max(0, max(heading.count, 6) - cell.count)) + cell
        }.joined(separator: "  ")
    }
}
