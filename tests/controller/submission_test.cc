// What a submission must look like: each fault is named, with what to do.
#include "controller/rpc/submission.h"

#include <cstdint>
#include <functional>

#include "common/base/digest.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace manyarch::controller::rpc {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::SubmitRequest Good() {
  v1::SubmitRequest request;
  request.set_idempotency_key("key-0001");
  request.set_request_hash(Digest::Of("request").ToString());
  v1::JobSpec& spec = *request.mutable_spec();
  spec.add_tags("registry.example.com/app:1.0");
  for (const char* arch : {"arm64", "amd64"}) {
    v1::Platform& platform = *spec.add_platforms()->mutable_platform();
    platform.set_os("linux");
    platform.set_arch(arch);
  }
  spec.set_context_root(Digest::Of("context").ToString());
  return request;
}

TEST(Submission, AGoodOneIsBroughtIntoNormalForm) {
  v1::SubmitRequest request = Good();
  request.mutable_spec()->mutable_tags(0)->assign("alpine");
  const auto spec = CheckSubmission(request);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_THAT(spec->tags(), ElementsAre("docker.io/library/alpine:latest"));
  EXPECT_EQ(spec->platforms(0).platform().arch(), "amd64");  // Old clients take the first match.
  EXPECT_EQ(spec->platforms(1).platform().arch(), "arm64");
  EXPECT_EQ(spec->principal(), "anonymous");
  EXPECT_EQ(spec->project(), "default");
  EXPECT_EQ(spec->arch_tag_template(), "{tag}-{arch}");
}

TEST(Submission, TagsMayBeInSeveralRepositoriesAndRegistries) {
  v1::SubmitRequest request = Good();
  request.mutable_spec()->add_tags("registry.example.com/other:1.0");
  request.mutable_spec()->add_tags("mirror.example.com/app:1.0");
  request.mutable_spec()->add_tags("mirror.example.com/app:1");
  const auto spec = CheckSubmission(request);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->tags_size(), 4);
}

struct Case {
  const char* name;
  std::function<void(v1::SubmitRequest&)> spoil;
  const char* message;
};

TEST(Submission, EachFaultIsNamed) {
  const Case cases[] = {
      {"no tag", [](auto& r) { r.mutable_spec()->clear_tags(); }, "no tag"},
      {"malformed tag", [](auto& r) { r.mutable_spec()->set_tags(0, "reg.example.com/App:1"); },
       "App"},
      {"tag twice", [](auto& r) { r.mutable_spec()->add_tags("registry.example.com/app:1.0"); },
       "given twice"},
      {"no platform", [](auto& r) { r.mutable_spec()->clear_platforms(); }, "no platform"},
      {"unknown platform",
       [](auto& r) {
         r.mutable_spec()->mutable_platforms(0)->mutable_platform()->set_arch("arm46");
       },
       "did you mean"},
      {"platform twice, spelled differently",
       [](auto& r) {
         r.mutable_spec()->mutable_platforms(0)->mutable_platform()->set_arch("x86_64");
       },
       "linux/amd64 is given twice"},
      {"no context", [](auto& r) { r.mutable_spec()->clear_context_root(); }, "context"},
      {"short key", [](auto& r) { r.set_idempotency_key("short"); }, "idempotency key"},
      {"no hash", [](auto& r) { r.clear_request_hash(); }, "request's hash"},
      {"file outside",
       [](auto& r) { r.mutable_spec()->mutable_options()->set_containerfile("../Containerfile"); },
       "not inside the context"},
      {"file both inside and outside",
       [](auto& r) {
         r.mutable_spec()->mutable_options()->set_containerfile("Containerfile");
         r.mutable_spec()->mutable_options()->set_containerfile_digest(r.request_hash());
       },
       "both inside and outside"},
      {"file outside that is no digest",
       [](auto& r) { r.mutable_spec()->mutable_options()->set_containerfile_digest("x"); },
       "the Containerfile of the job"},
      {"context name that would be two arguments",
       [](auto& r) {
         v1::NamedContext& context = *r.mutable_spec()->mutable_options()->add_contexts();
         context.set_name("a=b");
         context.set_root(r.spec().context_root());
       },
       "the context name 'a=b' is not valid"},
      {"context given twice",
       [](auto& r) {
         for (const char* name : {"lib", "LIB"}) {
           v1::NamedContext& context = *r.mutable_spec()->mutable_options()->add_contexts();
           context.set_name(name);
           context.set_root(r.spec().context_root());
         }
       },
       "'LIB' is given twice"},
      {"context of nothing",
       [](auto& r) { r.mutable_spec()->mutable_options()->add_contexts()->set_name("lib"); },
       "no valid reference"},
      {"context that is no image",
       [](auto& r) {
         v1::NamedContext& context = *r.mutable_spec()->mutable_options()->add_contexts();
         context.set_name("lib");
         context.set_image("a b");
       },
       "no valid reference"},
      {"a source that would be two lines",
       [](auto& r) { r.mutable_spec()->set_source("standard input\nState  succeeded"); },
       "control characters"},
      {"a source without end",
       [](auto& r) { r.mutable_spec()->set_source(std::string(4097, 'x')); }, "4097 bytes"},
      {"one tag for all platforms",
       [](auto& r) { r.mutable_spec()->set_arch_tag_template("{tag}-x"); }, "has no {arch}"},
      {"an arch tag that is the final tag",
       [](auto& r) { r.mutable_spec()->add_tags("registry.example.com/app:1.0-amd64"); },
       "written twice"},
      {"too long an arch tag",
       [](auto& r) {
         r.mutable_spec()->set_tags(0, "registry.example.com/app:" + std::string(125, 'a'));
       },
       "not a valid tag"},
      {"negative timeout",
       [](auto& r) { r.mutable_spec()->mutable_build_timeout()->set_seconds(-5); }, "timeout"},
      {"a priority beyond all others", [](auto& r) { r.mutable_spec()->set_priority(101); },
       "the priority 101 is out of range: use -100 to 100"},
      {"a priority whose opposite is none",
       [](auto& r) { r.mutable_spec()->set_priority(INT32_MIN); },
       "the priority -2147483648 is out of range"},
      {"hedged without emulation",
       [](auto& r) {
         r.mutable_spec()->set_hedge(true);
         r.mutable_spec()->set_emulation(v1::EMULATION_POLICY_NEVER);
       },
       "leave out --hedge or --emulation never"},
      {"a constraint of nothing",
       [](auto& r) { r.mutable_spec()->add_constraints()->set_value("x"); },
       "the constraint '=x' names no label"},
      {"a label constrained twice",
       [](auto& r) {
         for (const char* value : {"1", "2"}) {
           v1::NameValue& label = *r.mutable_spec()->add_constraints();
           label.set_name("a");
           label.set_value(value);
         }
       },
       "the label 'a' is constrained twice"},
      {"too many attempts", [](auto& r) { r.mutable_spec()->set_max_attempts(50); }, "attempts"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    v1::SubmitRequest request = Good();
    c.spoil(request);
    const absl::Status status = CheckSubmission(request).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(status.message(), HasSubstr(c.message));
  }
}

}  // namespace
}  // namespace manyarch::controller::rpc
