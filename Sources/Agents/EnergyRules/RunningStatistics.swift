/// Count, mean and spread of a series, one value at a time, in constant memory.
///
/// B. P. Welford, *Note on a method for calculating corrected sums of squares and products*, Technometrics 4 (1962):
/// it sums squares of distances from the mean, where the sum of squares less the square of the sum would lose every
/// digit of a voltage that varies by a hundredth of itself.
package struct RunningStatistics: Equatable, Sendable {
    /// Values seen.
    package private(set) var count: Int

    /// Their mean; 0 for none.
    package private(set) var mean: Double

    /// Sum of the squared distances from the mean, never negative.
    package private(set) var squaredDistances: Double

    /// Nothing seen yet.
    package init() {
        count = 0
        mean = 0
        squaredDistances = 0
    }

    /// Goes on from stored numbers; nil when no series has them.
    package init?(count: Int, mean: Double, squaredDistances: Double) {
        guard count >= 0, mean.isFinite, squaredDistances.isFinite, squaredDistances >= 0,
            count > 0 || (mean == 0 && squaredDistances == 0)
        else { return nil }
        self.count = count
        self.mean = mean
        self.squaredDistances = squaredDistances
    }

    /// Takes a value in; it must be finite.
    package mutating func add(_ value: Double) {
        count += 1
        let before = value - mean
        mean += before / Double(count)
        // Both distances have the same sign, so that what is added is not negative, rounding included.
        squaredDistances += max(0, before * (value - mean))
    }

    /// Standard deviation of the sample (n − 1 in the denominator), in the values' unit; 0 for fewer than two values.
    package var standardDeviation: Double {
        count < 2 ? 0 : (squaredDistances / Double(count - 1)).squareRoot()
    }
}
