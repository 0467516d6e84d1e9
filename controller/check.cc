#include "controller/check.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/os/files.h"
#include "controller/content/content_store.h"
#include "controller/state_lock.h"
#include "controller/store/check.h"

namespace manyarch::controller {

namespace {
// The operator's limits were kept when the jobs were taken.
constexpr TreeLimits kAnyTree = {INT64_MAX, INT64_MAX, 1000};
}  // namespace

absl::Status CheckStateDir(const std::string& state_dir, std::ostream& report) {
  const std::string database = absl::StrCat(state_dir, "/farm.db");
  if (!PathExists(database)) {
    return absl::NotFoundError(absl::StrCat("there is no controller's state in ", state_dir,
                                            "; give its directory with --state-dir"));
  }
  MA_ASSIGN_OR_RETURN(const UniqueFd lock, LockStateDir(state_dir));
  std::vector<std::string> faults;

  MA_ASSIGN_OR_RETURN(StoreCheck store, CheckSqliteStore(database));
  report << "store: " << store.jobs << " jobs (" << store.live_roots.size() << " live), "
         << store.workers << " workers, " << store.tags << " tags\n";
  faults.insert(faults.end(), store.faults.begin(), store.faults.end());

  MA_ASSIGN_OR_RETURN(const std::unique_ptr<ContentStore> content,
                      ContentStore::Open(absl::StrCat(state_dir, "/content"), kAnyTree));
  MA_ASSIGN_OR_RETURN(const ContentStore::Census census, content->VerifyAll());
  report << "content: " << census.blobs << " blobs, " << census.bytes << " bytes\n";
  faults.insert(faults.end(), census.faults.begin(), census.faults.end());
  for (const auto& [job_id, root] : store.live_roots) {
    const absl::StatusOr<Digest> digest = Digest::Parse(root);
    const absl::Status whole = digest.ok() ? content->CheckTree(*digest) : digest.status();
    if (!whole.ok()) faults.push_back(absl::StrCat("job ", job_id, ": ", whole.message()));
  }
  for (const std::string& fault : faults) report << "FAULT: " << fault << "\n";
  if (faults.empty()) {
    report << "everything is whole\n";
    return absl::OkStatus();
  }
  return absl::DataLossError(
      absl::StrCat(faults.size(), faults.size() == 1 ? " fault" : " faults", " in ", state_dir));
}

}  // namespace manyarch::controller
