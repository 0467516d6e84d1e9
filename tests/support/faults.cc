#include "tests/support/faults.h"

#include "absl/strings/str_cat.h"

namespace manyarch::testing {

absl::string_view NameOf(Fault fault) {
  switch (fault) {
    case Fault::kNone:
      return "none";
    case Fault::kTooManySeconds:
      return "429, seconds";
    case Fault::kTooManyDate:
      return "429, date";
    case Fault::k500:
      return "500";
    case Fault::k502:
      return "502";
    case Fault::k503:
      return "503";
    case Fault::k504:
      return "504";
    case Fault::k408:
      return "408";
    case Fault::kResetBefore:
      return "reset before";
    case Fault::kAnswerLost:
      return "answer lost";
    case Fault::kSlow:
      return "slow";
    case Fault::kTruncated:
      return "truncated";
    case Fault::kWrongLength:
      return "wrong length";
    case Fault::kGarbageBody:
      return "garbage body";
    case Fault::kNotHttp:
      return "not HTTP";
    case Fault::kUploadCut:
      return "upload cut";
    case Fault::kCount:
      break;
  }
  return "?";
}

FaultDice::FaultDice(FaultOptions options) : options_(options), engine_(options.seed) {}

Fault FaultDice::Roll() {
  absl::MutexLock lock(&mutex_);
  Fault fault = Fault::kNone;
  if (std::uniform_real_distribution<double>(0, 1)(engine_) < options_.probability) {
    fault = static_cast<Fault>(
        std::uniform_int_distribution<int>(1, static_cast<int>(Fault::kCount) - 1)(engine_));
  }
  ++rolled_[fault];
  return fault;
}

HttpAnswer FaultDice::Instead(Fault fault, absl::Time now) const {
  HttpAnswer answer;
  const auto fail = [&](int status, absl::string_view code) {
    answer.status = status;
    answer.body = absl::StrCat(R"({"errors":[{"code":")", code, R"(","message":"injected"}]})");
  };
  switch (fault) {
    case Fault::kTooManySeconds:
      fail(429, "TOOMANYREQUESTS");
      answer.headers.emplace_back("Retry-After", absl::StrCat(options_.retry_after_seconds));
      break;
    case Fault::kTooManyDate:
      fail(429, "TOOMANYREQUESTS");
      answer.headers.emplace_back(
          "Retry-After",
          absl::FormatTime("%a, %d %b %Y %H:%M:%S GMT",
                           now + absl::Seconds(options_.retry_after_seconds), absl::UTCTimeZone()));
      break;
    case Fault::k500:
      fail(500, "UNKNOWN");
      break;
    case Fault::k502:
    case Fault::k503:
    case Fault::k504:
      // From something in front of the registry, which knows nothing of its errors.
      answer.status = fault == Fault::k502 ? 502 : fault == Fault::k503 ? 503 : 504;
      answer.body = "<html><h1>Bad day</h1></html>";
      answer.content_type = "text/html";
      break;
    case Fault::k408:
      answer.status = 408;
      break;
    case Fault::kResetBefore:
      answer.delivery = Delivery::kReset;
      break;
    case Fault::kGarbageBody:
      answer.body = "<html>Please log in to the hotel's network</html>";
      answer.content_type = "text/html";
      break;
    default:
      answer.status = 0;
  }
  return answer;
}

void FaultDice::Spoil(Fault fault, HttpAnswer& answer) const {
  switch (fault) {
    case Fault::kAnswerLost:
    case Fault::kUploadCut:
      answer.delivery = Delivery::kReset;
      break;
    case Fault::kSlow:
      answer.delay = options_.slow;
      break;
    case Fault::kTruncated:
      answer.delivery = Delivery::kTruncated;
      break;
    case Fault::kWrongLength:
      answer.delivery = Delivery::kWrongLength;
      break;
    case Fault::kNotHttp:
      answer.delivery = Delivery::kNotHttp;
      break;
    default:
      break;
  }
}

std::map<Fault, int> FaultDice::Rolled() const {
  absl::MutexLock lock(&mutex_);
  return rolled_;
}

}  // namespace manyarch::testing
