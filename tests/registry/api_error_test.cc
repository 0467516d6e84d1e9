#include "registry/api_error.h"

#include <gtest/gtest.h>

#include <string>

namespace manyarch::registry {
namespace {

Response Answer(int status, std::string body) { return {status, {}, std::move(body)}; }

TEST(DescribeAnswer, ShowsCodeMessageAndDetailVerbatim) {
  EXPECT_EQ(
      DescribeAnswer(Answer(400, R"({"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob )"
                                 R"(unknown to registry","detail":{"Digest":"sha256:1"}},)"
                                 R"({"code":"X","message":"y","detail":"z"},{"message":"m"}]})")),
      "400 Bad Request: MANIFEST_BLOB_UNKNOWN: blob unknown to registry (detail: "
      "{\"Digest\":\"sha256:1\"}); X: y (detail: z); m");
}

TEST(DescribeAnswer, QuotesABodyOfAnotherKind) {
  EXPECT_EQ(DescribeAnswer(Answer(502, "<html>\x1b[31m</html>")),
            "502 Bad Gateway: '<html>\\x1b[31m</html>'");
  EXPECT_EQ(DescribeAnswer(Answer(404, "")), "404 Not Found");
  EXPECT_EQ(DescribeAnswer(Answer(599, " \n")), "599");
}

TEST(DescribeAnswer, LetsNoControlCharactersThrough) {
  const std::string text = DescribeAnswer(
      Answer(400, R"({"errors":[{"code":"A\u001b[31m","message":"b\nc","detail":["\u0007"]}]})"));
  for (const char c : text) EXPECT_GE(static_cast<unsigned char>(c), 0x20) << text;
}

TEST(ParseApiErrors, SurvivesOtherShapes) {
  for (const char* body : {"", "null", "[]", "{}", R"({"errors":null})", R"({"errors":[1,"x"]})",
                           R"({"errors":{}})"}) {
    EXPECT_TRUE(ParseApiErrors(body).empty()) << body;
  }
  EXPECT_TRUE(ParseApiErrors("{\"errors\":[" + std::string(1'000'000, '[')).empty());
}

TEST(CodeOf, TellsWhatMayPass) {
  EXPECT_EQ(CodeOf(400), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(401), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(CodeOf(403), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(CodeOf(404), absl::StatusCode::kNotFound);
  EXPECT_EQ(CodeOf(415), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(CodeOf(405), absl::StatusCode::kFailedPrecondition);
  for (const int passing : {408, 425, 429, 500, 502, 503, 504}) {
    EXPECT_EQ(CodeOf(passing), absl::StatusCode::kUnavailable) << passing;
  }
  EXPECT_EQ(CodeOf(501), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace manyarch::registry
