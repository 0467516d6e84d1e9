// What `manyarch doctor` looks at.
#pragma once

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "cli/client.h"
#include "cli/image/access.h"
#include "manyarch/v1/farm.pb.h"

namespace manyarch::cli::doctor {

enum class Result { kOk, kWarning, kFailed, kSkipped };

struct Finding {
  std::string from;     // Who looked: "client" or "controller".
  std::string subject;  // Of what: an address, a worker's name, a reference.
  std::string what;     // "controller", "worker", "platforms", "reachable", "push", …
  Result result = Result::kOk;
  std::string message;        // A sentence; a registry's answer verbatim.
  bool out_of_reach = false;  // kFailed because nobody answered.
};

// The controller and its workers. Where no controller answers there is one finding: a failure, or
// a warning where nobody `needs` one.
std::vector<Finding> CheckFarm(Client& client, bool needed);

// What the controller finds about the references: with its own credentials, or where `authfile`
// has some, as for a job that comes with them. A controller that cannot tell is one skipped
// finding.
std::vector<Finding> CheckFromController(Client& client, const std::vector<std::string>& references,
                                         v1::ImageFormat format, const std::string& authfile);

// The same from here, with this user's credentials; also for a registry alone ("host:port").
std::vector<Finding> CheckFromHere(const image::RegistryFlags& flags,
                                   const std::vector<std::string>& references,
                                   v1::ImageFormat format);

// Builds are pushed by workers with the controller's credentials: where these were checked, what
// this user may not do himself matters for `manyarch image` alone.
void DemoteFailuresHere(std::vector<Finding>& findings);

// "registry.example.com", "127.0.0.1:5000", "localhost:5000": a registry and no image.
bool IsRegistry(const std::string& text);

std::string FindingsTable(const std::vector<Finding>& findings);
std::string FindingsJson(const std::vector<Finding>& findings);

// 0: nothing failed; 3: something did not answer; 1: a job would be refused.
int ExitCodeOf(const std::vector<Finding>& findings);

}  // namespace manyarch::cli::doctor
