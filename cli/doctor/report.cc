#include "cli/doctor/checkup.h"
#include "cli/render/table.h"
#include "cli/render/words.h"
#include "nlohmann/json.hpp"

namespace manyarch::cli::doctor {

namespace {

const char* NameOf(Result result) {
  switch (result) {
    case Result::kOk:
      return "ok";
    case Result::kWarning:
      return "warning";
    case Result::kFailed:
      return "failed";
    case Result::kSkipped:
      return "skipped";
  }
  return "failed";
}

}  // namespace

std::string FindingsTable(const std::vector<Finding>& findings) {
  std::vector<std::vector<std::string>> rows = {{"RESULT", "FROM", "OF", "WHAT", "FOUND"}};
  for (const Finding& finding : findings) {
    // What failed should catch the eye.
    const std::string result =
        finding.result == Result::kFailed ? "FAILED" : NameOf(finding.result);
    rows.push_back({result, finding.from, SafeLine(finding.subject), SafeLine(finding.what),
                    SafeLine(finding.message)});
  }
  return AlignedTable(rows);
}

std::string FindingsJson(const std::vector<Finding>& findings) {
  nlohmann::ordered_json json;
  json["ok"] = ExitCodeOf(findings) == 0;
  json["checks"] = nlohmann::ordered_json::array();
  for (const Finding& finding : findings) {
    json["checks"].push_back({{"from", finding.from},
                              {"of", finding.subject},
                              {"what", finding.what},
                              {"result", NameOf(finding.result)},
                              {"message", finding.message}});
  }
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace manyarch::cli::doctor
