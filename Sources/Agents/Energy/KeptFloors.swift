/// The floors whose history is kept: the document under `energy:floors`.
///
/// It only grows, up to a bound, so a copy in memory that lacks a floor is merely out of date.
package struct KeptFloors: Equatable, Sendable, Codable {
    /// Ascending, each once.
    package private(set) var floors: [Int]

    /// Takes floors in any order.
    package init(_ floors: [Int] = []) {
        self.floors = Set(floors).sorted()
    }

    enum CodingKeys: String, CodingKey {
        case floors = "kept"
    }

    /// Reads the document.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(try container.decode([Int].self, forKey: .floors))
    }

    /// Whether the floor's history is kept.
    package func contains(_ floor: Int) -> Bool {
        let index = insertionIndex(of: floor)
        return index < floors.count && floors[index] == floor
    }

    /// Adds those of `seen` that are new, in their order, while there are fewer than `most`; true when it grew.
    mutating func add(_ seen: [Int], most: Int) -> Bool {
        var grew = false
        for floor in seen {
            guard floors.count < most else { break }
            let index = insertionIndex(of: floor)
            if index < floors.count, floors[index] == floor { continue }
            floors.insert(floor, at: index)
            grew = true
        }
        return grew
    }

    private func insertionIndex(of floor: Int) -> Int {
        var low = 0
        var high = floors.count
        while low < high {
            let middle = (low + high) / 2
            if floors[middle] < floor { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
