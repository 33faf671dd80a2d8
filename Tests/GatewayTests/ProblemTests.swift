import HTTPTypes
import HummingbirdCore
import StormoClient
import Testing
import Wire

@testable import Gateway

struct ProblemTests {
    @Test(arguments: [
        (ClientError.noQuorum("x"), 503, "no_quorum", true), (.outcomeUnknown("x"), 504, "outcome_unknown", false),
        (.unreachable("x"), 503, "unreachable", true), (.overloaded("x"), 503, "overloaded", true),
        (.closed, 503, "shutting_down", true), (.refused(.noRing, "x"), 503, "no_nodes", true),
        (.refused(.noQuorum, "x"), 503, "no_quorum", true),
        (.refused(.outcomeUnknown, "x"), 504, "outcome_unknown", false),
        (.refused(.invalid, "x"), 422, "invalid_request", false),
        (.refused(.offsetOutOfRange, "x"), 410, "offset_gone", false),
        (.refused(.readOnly, "x"), 503, "read_only", true),
    ])
    func tellsWhatTheClusterSaid(expected: (ClientError, Int, String, Bool)) {
        let response = Problem(expected.0).response(instance: "i")
        #expect(response.status.code == expected.1)
        #expect(Problem(expected.0).code == expected.2)
        #expect((response.headers[.retryAfter] != nil) == expected.3)
        #expect(response.headers[.contentType] == "application/problem+json")
    }

    @Test func everyRefusalHasAStatusThatIsNot500() {
        for code in ErrorCode.allCases {
            let problem = Problem(.refused(code, "x"))
            #expect(problem.status.code != 500)
            #expect((400..<600).contains(problem.status.code))
            #expect(!problem.code.isEmpty)
        }
    }

    @Test func theDocumentHasTheFieldsOfRFC9457() throws {
        var problem = Problem.invalidBody([FieldError(field: "weight", detail: "too heavy")])
        problem.members = { $0.member("ok", false) }
        let value = try JSONValue(parsing: problem.body(instance: "urn:x"))
        #expect(value["type"] == .string("urn:stormo:problem:invalid_body"))
        #expect(value["status"] == .number(JSONNumber(checked: "422")))
        #expect(value["code"] == .string("invalid_body"))
        #expect(value["instance"] == .string("urn:x"))
        #expect(value["ok"] == .bool(false))
        #expect(
            value["errors"] == (try JSONValue(parsing: Array("[{\"field\":\"weight\",\"detail\":\"too heavy\"}]".utf8)))
        )
        guard case .string? = value["title"], case .string? = value["detail"] else {
            Issue.record("no title or detail")
            return
        }
    }

    @Test func retryAfterIsAtLeastASecond() {
        let response = Problem(.tooManyRequests, "rate_limited", "t", "d", retryAfterSeconds: 0).response(instance: "")
        #expect(response.headers[.retryAfter] == "1")
    }
}
