#include "cli/complete_names.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/client.h"
#include "cli/render/words.h"

namespace manyarch::cli {

namespace {

using Names = Completion::Names;

constexpr absl::Duration kPatience = absl::Milliseconds(800);
constexpr int kMostJobs = 50;

// The value of a flag on the line; the last one counts.
std::string FlagOn(absl::Span<const std::string> words, const std::string& flag) {
  std::string value;
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i] == flag && i + 2 < words.size()) value = words[i + 1];
    if (absl::StartsWith(words[i], flag + "=")) value = words[i].substr(flag.size() + 1);
  }
  return value;
}

// What a shell takes as it stands: names come from whoever runs a worker.
bool IsPlain(absl::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           absl::string_view("._:/@-").find(c) != absl::string_view::npos;
  });
}

void Offer(const std::string& word, const std::string& help, Completion& out) {
  if (!IsPlain(word) || !absl::StartsWith(word, out.typed)) return;
  const std::string whole = out.before + word;
  const auto same = std::find_if(out.candidates.begin(), out.candidates.end(),
                                 [&](const Candidate& c) { return c.word == whole; });
  if (same == out.candidates.end()) {
    out.candidates.push_back({whole, help});
  } else {
    same->help = help;
  }
}

void OfferJobs(Client& client, Completion& out) {
  v1::ListJobsRequest request;
  request.set_limit(kMostJobs);
  if (out.names != Names::kJobs) {
    for (int state = v1::JOB_STATE_QUEUED; state <= v1::JOB_STATE_SUPERSEDED; ++state) {
      const bool ended = state >= v1::JOB_STATE_SUCCEEDED;
      if (ended == (out.names == Names::kEndedJobs)) {
        request.add_states(static_cast<v1::JobState>(state));
      }
    }
  }
  const auto jobs = client.ListJobs(request, kPatience);
  if (!jobs.ok()) return;
  for (const v1::Job& job : jobs->jobs()) {
    Offer(job.id(),
          SafeLine(absl::StrCat(Word(job.state()), "  ", absl::StrJoin(job.spec().tags(), ","))),
          out);
  }
}

void OfferWorkers(const v1::ListWorkersResponse& workers, Completion& out) {
  std::map<std::string, int> names;
  for (const v1::Worker& worker : workers.workers()) ++names[worker.description().name()];
  for (const v1::Worker& worker : workers.workers()) {
    const v1::WorkerDescription& self = worker.description();
    std::string help = Word(worker.state());
    if (worker.admission() > v1::WORKER_ADMISSION_SCHEDULABLE) {
      absl::StrAppend(&help, ", ", Word(worker.admission()));
    }
    // A name that several have means none of them.
    const bool usable = names[self.name()] == 1 && IsPlain(self.name());
    Offer(usable ? self.name() : self.id(),
          usable ? help : SafeLine(absl::StrCat(self.name(), ", ", help)), out);
  }
}

void OfferPlatforms(const v1::ListWorkersResponse& workers, Completion& out) {
  std::map<std::string, std::set<std::string>> native;
  std::map<std::string, std::set<std::string>> emulated;
  for (const v1::Worker& worker : workers.workers()) {
    for (const v1::OfferedPlatform& offered : worker.description().platforms()) {
      (offered.emulated() ? emulated : native)[PlatformText(offered.platform())].insert(
          worker.description().name());
    }
  }
  for (const auto& [platform, names] : emulated) {
    if (!native.contains(platform)) {
      Offer(platform, SafeLine("emulated on " + absl::StrJoin(names, ", ")), out);
    }
  }
  for (const auto& [platform, names] : native) {
    Offer(platform, SafeLine("native on " + absl::StrJoin(names, ", ")), out);
  }
}

}  // namespace

void AddNames(absl::Span<const std::string> words, const Getenv& getenv, Completion& completion) {
  if (completion.names == Names::kNone) return;
  if (completion.names == Names::kFarms) {
    const auto farms = ReadFarms(ConfigPath(getenv));
    if (!farms.ok()) return;
    for (const auto& [name, address] : farms->address) Offer(name, address, completion);
    return;
  }
  const auto address =
      ChooseController(FlagOn(words, "--controller"), FlagOn(words, "--farm"), getenv);
  if (!address.ok()) return;
  Client client(*address);
  if (completion.names != Names::kWorkers && completion.names != Names::kPlatforms) {
    OfferJobs(client, completion);
    return;
  }
  const auto workers = client.ListWorkers(kPatience);
  if (!workers.ok()) return;
  if (completion.names == Names::kWorkers) {
    OfferWorkers(*workers, completion);
  } else {
    OfferPlatforms(*workers, completion);
  }
}

}  // namespace manyarch::cli
