// Copying a blob between two registries whose connections are cut wherever it hurts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "registry/client.h"
#include "tests/registry/scripted_transport.h"

namespace manyarch::registry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// src.example has one blob, dst.example takes one. Called by two threads.
class TwoRegistries : public HttpTransport {
 public:
  explicit TwoRegistries(std::string blob) : bytes(std::move(blob)) {}

  absl::StatusOr<Response> Send(const Request& request, const absl::Notification*) override {
    {
      absl::MutexLock lock(&mutex);
      lines.push_back(request.method + " " + request.url);
    }
    if (absl::StrContains(request.url, "src.example")) return Serve(request);
    if (absl::StrContains(request.url, "/blobs/sha256:")) {
      if (stored.empty()) return Response{404, {}, ""};
      return Response{200, {{"content-length", absl::StrCat(stored.size())}}, ""};
    }
    if (request.method == "POST") {
      ++uploads;
      taken.clear();
      return Response{202, {{"location", "/v2/app/blobs/uploads/1?_state=0"}}, ""};
    }
    if (request.method == "PATCH") return Take(request);
    if (request.method == "GET") {
      if (forgets) return Response{404, {}, R"({"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]})"};
      return Response{204, Where(), ""};
    }
    return Finish(request);
  }

  // Serves in pieces, cut once where `cut_download` says.
  absl::StatusOr<Response> Serve(const Request& request) {
    size_t at = 0;
    Response head{200, {}, ""};
    const std::string header = ScriptedTransport::HeaderOf(request, "Range");
    absl::string_view range = header;
    if (takes_ranges && absl::ConsumePrefix(&range, "bytes=") && absl::ConsumeSuffix(&range, "-") &&
        absl::SimpleAtoi(range, &at)) {
      head.status = 206;
      head.headers.emplace_back("content-range", absl::StrCat("bytes ", at, "-/", bytes.size()));
    }
    served_from.push_back(at);
    while (at < bytes.size()) {
      if (cut_download > 0 && at >= cut_download) {
        cut_download = 0;
        return absl::UnavailableError("the source was cut");
      }
      const size_t count = std::min<size_t>(1000, bytes.size() - at);
      const absl::Status status = request.sink(head, absl::string_view(bytes).substr(at, count));
      if (!status.ok()) return status;
      at += count;
    }
    return head;
  }

  absl::StatusOr<Response> Take(const Request& request) {
    const std::string range = ScriptedTransport::HeaderOf(request, "Content-Range");
    if (!range.empty() && !absl::StartsWith(range, absl::StrCat(taken.size(), "-"))) {
      return Response{416, {}, ""};
    }
    char buffer[700];
    int64_t got = 0;
    while (got < request.source_size) {
      if (cut_upload > 0 && taken.size() >= cut_upload) {
        cut_upload = 0;
        return absl::UnavailableError("the target was cut");
      }
      const auto count = request.source(buffer, sizeof(buffer));
      if (!count.ok()) return count.status();
      if (*count == 0) return absl::UnavailableError("the source ended early");
      taken.append(buffer, *count);
      got += static_cast<int64_t>(*count);
    }
    return Response{202, Where(), ""};
  }

  std::vector<std::pair<std::string, std::string>> Where() const {
    return {{"location", absl::StrCat("/v2/app/blobs/uploads/1?_state=", taken.size())},
            {"range", absl::StrCat("0-", taken.empty() ? 0 : taken.size() - 1)}};
  }

  absl::StatusOr<Response> Finish(const Request& request) {
    if (!absl::StrContains(request.url, absl::StrCat("_state=", taken.size(), "&digest="))) {
      return Response{400, {}, "not the address it was given"};
    }
    if (taken != bytes) return Response{400, {}, R"({"errors":[{"code":"DIGEST_INVALID"}]})"};
    if (!lose_commit) stored = taken;
    if (lose_answer) {
      lose_answer = false;
      stored = taken;
      return absl::UnavailableError("no answer");
    }
    return Response{201, {}, ""};
  }

  const std::string bytes;
  bool takes_ranges = true;
  bool forgets = false;  // Uploads that were cut.
  size_t cut_download = 0;
  size_t cut_upload = 0;
  bool lose_answer = false;
  bool lose_commit = false;

  absl::Mutex mutex;
  std::vector<std::string> lines;
  std::vector<size_t> served_from;
  std::string taken;
  std::string stored;
  int uploads = 0;
};

std::string SomeBytes(size_t size) {
  std::string out(size, '\0');
  for (size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 31 % 251);
  return out;
}

struct Rig {
  explicit Rig(std::string bytes) : registries(std::move(bytes)) {}
  absl::Status Copy() {
    return client.CopyBlob(*ParseReference("src.example/base"),
                           {"", digest, static_cast<int64_t>(registries.bytes.size()), {}},
                           *ParseReference("dst.example/app"),
                           [this](int64_t bytes) { progress.push_back(bytes); });
  }

  TwoRegistries registries;
  Digest digest = Digest::Of(registries.bytes);
  FakeWaiter waiter;
  RegistryClient client{{}, &registries, &waiter, nullptr};
  std::vector<int64_t> progress;
};

TEST(CopyBlob, StreamsFromOneRegistryToTheOther) {
  Rig rig(SomeBytes(50'000));
  ASSERT_TRUE(rig.Copy().ok());
  EXPECT_EQ(rig.registries.stored, rig.registries.bytes);
  EXPECT_EQ(rig.progress.back(), 50'000);
  EXPECT_TRUE(std::is_sorted(rig.progress.begin(), rig.progress.end()));
  EXPECT_TRUE(rig.waiter.pauses.empty());
}

TEST(CopyBlob, MovesNothingThatIsThere) {
  Rig rig("x");
  rig.registries.stored = "x";
  ASSERT_TRUE(rig.Copy().ok());
  EXPECT_THAT(rig.registries.lines,
              ElementsAre(HasSubstr("HEAD https://dst.example/v2/app/blobs/sha256:")));
}

TEST(CopyBlob, CopiesAnEmptyBlob) {
  Rig rig("");
  ASSERT_TRUE(rig.Copy().ok());
  EXPECT_THAT(rig.registries.lines.back(), HasSubstr("PUT https://dst.example"));
}

TEST(CopyBlob, GoesOnWhereTheUploadWasCut) {
  Rig rig(SomeBytes(50'000));
  rig.registries.cut_upload = 20'000;
  ASSERT_TRUE(rig.Copy().ok());
  EXPECT_EQ(rig.registries.stored, rig.registries.bytes);
  EXPECT_EQ(rig.registries.uploads, 1);
  ASSERT_EQ(rig.registries.served_from.size(), 2u);
  EXPECT_GE(rig.registries.served_from[1], 20'000u);
}

TEST(CopyBlob, GoesOnWhereTheDownloadWasCutAlsoWithoutRanges) {
  for (const bool ranges : {true, false}) {
    Rig rig(SomeBytes(50'000));
    rig.registries.takes_ranges = ranges;
    rig.registries.cut_download = 30'000;
    const absl::Status status = rig.Copy();
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(rig.registries.stored, rig.registries.bytes);
    EXPECT_EQ(rig.registries.uploads, 1);
  }
}

TEST(CopyBlob, BeginsAnewWhereTheRegistryForgetsUploads) {
  Rig rig(SomeBytes(50'000));
  rig.registries.cut_upload = 20'000;
  rig.registries.forgets = true;
  ASSERT_TRUE(rig.Copy().ok());
  EXPECT_EQ(rig.registries.stored, rig.registries.bytes);
  EXPECT_EQ(rig.registries.uploads, 2);
}

TEST(CopyBlob, LooksWhetherALostCommitHasLanded) {
  Rig rig(SomeBytes(5'000));
  rig.registries.lose_answer = true;
  ASSERT_TRUE(rig.Copy().ok());
  EXPECT_EQ(rig.registries.uploads, 1);
  EXPECT_THAT(rig.registries.lines.back(), HasSubstr("HEAD "));
}

TEST(CopyBlob, CommitsNothingWithAnotherDigest) {
  Rig rig(SomeBytes(5'000));
  rig.digest = Digest::Of("what it should have been");
  const absl::Status status = rig.Copy();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("answered with other bytes"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("src.example/base"));
  for (const std::string& line : rig.registries.lines) {
    EXPECT_FALSE(absl::StartsWith(line, "PUT")) << line;
  }
}

TEST(CopyBlob, GivesUpWithTheLastError) {
  Rig rig(SomeBytes(5'000));
  ScriptedTransport down;
  for (int i = 0; i < 200; ++i) down.ThenFail(absl::UnavailableError("connection refused"));
  RegistryClient client({}, &down, &rig.waiter, nullptr);
  const absl::Status status =
      client.CopyBlob(*ParseReference("src.example/base"), {"", rig.digest, 5'000, {}},
                      *ParseReference("dst.example/app"));
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("connection refused"));
}

TEST(MountBlob, NamesBothRepositoriesAndBelievesTheAnswer) {
  ScriptedTransport transport;
  FakeWaiter waiter;
  RegistryClient client({}, &transport, &waiter, nullptr);
  const Digest digest = Digest::Of("x");
  const Reference to = *ParseReference("reg.example/team/app");
  const Reference from = *ParseReference("reg.example/team/base");
  transport.Then({201, {}, ""});
  EXPECT_EQ(*client.MountBlob(to, from, digest), true);
  EXPECT_EQ(transport.Lines()[0],
            absl::StrCat("POST https://reg.example/v2/team/app/blobs/uploads/?mount=sha256%3A",
                         std::string(digest.hex()), "&from=team%2Fbase"));
  transport.Then({202, {{"location", "/v2/team/app/blobs/uploads/9"}}, ""});
  transport.Then({204, {}, ""});
  EXPECT_EQ(*client.MountBlob(to, from, digest), false);
  EXPECT_EQ(transport.Lines()[2], "DELETE https://reg.example/v2/team/app/blobs/uploads/9");
  EXPECT_EQ(*client.MountBlob(to, *ParseReference("other.example/base"), digest), false);
  EXPECT_EQ(transport.requests.size(), 3u);
}

TEST(PutBlob, OpensAnUploadAnewForEachTry) {
  ScriptedTransport transport;
  FakeWaiter waiter;
  RegistryClient client({}, &transport, &waiter, nullptr);
  transport.Then({404, {}, ""});
  transport.Then({202, {{"location", "https://reg.example/up/1?a=b"}}, ""});
  transport.Then({502, {}, ""});
  transport.Then({404, {}, ""});
  transport.Then({202, {{"location", "https://reg.example/up/2"}}, ""});
  transport.Then({201, {}, ""});
  ASSERT_TRUE(client.PutBlob(*ParseReference("reg.example/app"), "{}").ok());
  const std::string digest = absl::StrCat("digest=sha256%3A", std::string(Digest::Of("{}").hex()));
  EXPECT_EQ(transport.Lines()[2], "PUT https://reg.example/up/1?a=b&" + digest);
  EXPECT_EQ(transport.Lines()[5], "PUT https://reg.example/up/2?" + digest);
  EXPECT_EQ(transport.requests[5].body, "{}");
}

TEST(ListTags, FollowsPagesAndLeavesOutWhatIsNoTag) {
  ScriptedTransport transport;
  FakeWaiter waiter;
  RegistryClient client({}, &transport, &waiter, nullptr);
  const Reference app = *ParseReference("reg.example/app");
  transport.Then({200,
                  {{"link", R"(</v2/app/tags/list?n=1000&last=b>; rel="next")"}},
                  R"({"name":"app","tags":["a",null,"sha256:abc","b"]})"});
  transport.Then({200, {}, R"({"tags":null})"});
  EXPECT_THAT(*client.ListTags(app), ElementsAre("a", "b"));
  EXPECT_EQ(transport.Lines()[1], "GET https://reg.example/v2/app/tags/list?n=1000&last=b");

  transport.Then({200, {{"link", R"(<https://evil.example/x>; rel="next")"}}, R"({"tags":[]})"});
  EXPECT_FALSE(client.ListTags(app).ok());
  const Response again{
      200, {{"link", R"(</v2/app/tags/list?n=1000>; rel="next")"}}, R"({"tags":["a"]})"};
  transport.Then(again);
  transport.Then(again);
  EXPECT_FALSE(client.ListTags(app).ok()) << "a circle of pages ends";
}

}  // namespace
}  // namespace manyarch::registry
