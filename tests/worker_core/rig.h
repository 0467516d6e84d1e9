// Drives a worker core by hand and shows its effects as short lines.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "worker/core/worker.h"

namespace manyarch::worker::core {

using Lines = std::vector<std::string>;

inline std::string Show(Phase phase) {
  constexpr const char* kNames[] = {"accepted", "fetching", "building", "pushing"};
  return kNames[static_cast<int>(phase)];
}
inline std::string Show(const FinishedAttempt& f) {
  return absl::StrCat(f.attempt_id, "=", f.result.empty() ? "nothing" : f.result);
}
inline std::string Show(const Dial& e) { return absl::StrCat("dial ", e.connection); }
inline std::string Show(const DropConnection& e) { return absl::StrCat("drop ", e.connection); }
inline std::string Show(const SendHello& e) {
  Lines parts;
  for (const auto& r : e.running) parts.push_back(absl::StrCat(r.attempt_id, ":", Show(r.phase)));
  for (const auto& f : e.finished) parts.push_back(Show(f));
  return absl::StrCat("hello ", e.connection, " [", absl::StrJoin(parts, " "), "]",
                      e.draining ? " draining" : "",
                      e.not_ready.empty() ? "" : absl::StrCat(" not ready: ", e.not_ready));
}
inline std::string Show(const SendHeartbeat& e) { return absl::StrCat("heartbeat ", e.sequence); }
inline std::string Show(const SendOfferAnswer& e) {
  return absl::StrCat(e.accepted ? "accept " : "refuse ", e.attempt_id, e.accepted ? "" : ": ",
                      e.reason);
}
inline std::string Show(const SendProgress& e) {
  return absl::StrCat("progress ", e.attempt_id, " ", Show(e.phase));
}
inline std::string Show(const SendFinished& e) {
  return absl::StrCat("finished ", Show(e.finished));
}
inline std::string Show(const SendDrain& e) {
  return absl::StrCat("drain [", absl::StrJoin(e.hand_back, " "), "]");
}
inline std::string Show(const SendReadiness& e) {
  return e.not_ready.empty() ? "ready" : absl::StrCat("not ready: ", e.not_ready);
}
inline std::string Show(const ResumeLog& e) {
  return absl::StrCat("log ", e.attempt_id, " from ", e.offset);
}
inline std::string Show(const AckLog& e) {
  return absl::StrCat("log ", e.attempt_id, " acked ", e.offset, e.again ? " again" : "");
}
inline std::string Show(const StartAttempt& e) {
  return absl::StrCat("start ", e.attempt_id, " in ", e.slot);
}
inline std::string Show(const StopAttempt& e) { return absl::StrCat("stop ", e.attempt_id); }
inline std::string Show(const KeepResult& e) { return absl::StrCat("keep ", Show(e.finished)); }
inline std::string Show(const ForgetAttempt& e) { return absl::StrCat("forget ", e.attempt_id); }
inline std::string Show(const Exit&) { return "exit"; }

struct Rig {
  explicit Rig(Config config = {}, std::vector<FinishedAttempt> restored = {})
      : worker(std::move(config), std::move(restored), 1) {}

  Lines Do(const Event& event) {
    Lines lines;
    for (const Effect& effect : worker.Step(event, now)) {
      lines.push_back(std::visit([](const auto& e) { return Show(e); }, effect));
    }
    return lines;
  }
  // Lets time pass, with a Tick whenever one is due, and returns all that happened.
  Lines Pass(absl::Duration duration) {
    Lines all;
    const absl::Time end = now + duration;
    while (worker.NextDeadline() <= end) {
      now = std::max(now, worker.NextDeadline());
      for (std::string& line : Do(Tick{})) all.push_back(std::move(line));
    }
    now = end;
    return all;
  }
  // Brings the next connection up to where the controller has answered the Hello.
  Lines Join(std::vector<AttemptVerdict> verdicts = {}) {
    Pass(absl::Seconds(2));
    connection = std::get<Dialing>(worker.connection()).connection;
    Do(Connected{connection});
    return Do(HelloAnswered{connection, 7, absl::Seconds(5), std::move(verdicts)});
  }
  Lines Offer(const std::string& id, const std::string& affinity = "") {
    return Do(Offered{connection, id, "order", affinity});
  }
  Lines Finish(const std::string& id, const std::string& result) {
    return Do(AttemptFinished{{id, result, 10}});
  }
  Lines Cut() { return Do(Disconnected{connection, "reset by peer", false}); }

  Worker worker;
  absl::Time now = absl::FromUnixSeconds(1'000'000);
  ConnectionId connection = 0;
};

}  // namespace manyarch::worker::core
